// A web server that is far away: whatever it is sent, and whatever it sends, travels for half of the delay, and a
// connection takes one delay to come about.
//
// distant_server FOLDER CERTIFICATE DELAY: files of FOLDER over HTTPS, with HTTP/2 on the first port that it prints,
// with HTTP/1.1 alone on the second. CERTIFICATE is written, and is what a client has to trust. Each line on its
// standard input is answered with the number of connections since the one before, and their number at the two ports.
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func certificate(path string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "distant server of a bench"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	check(os.WriteFile(path, text, 0o644))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

type piece struct {
	bytes []byte
	due   time.Time
}

// Any number of pieces may be on their way.
func travel(from, to net.Conn, half time.Duration) {
	way := make(chan piece, 1<<16)
	go func() {
		defer close(way)
		for {
			bytes := make([]byte, 64<<10)
			count, err := from.Read(bytes)
			if count > 0 {
				way <- piece{bytes[:count], time.Now().Add(half)}
			}
			if err != nil {
				return
			}
		}
	}()
	for arriving := range way {
		time.Sleep(time.Until(arriving.due))
		if _, err := to.Write(arriving.bytes); err != nil {
			break
		}
	}
	to.Close()
	from.Close()
	for range way {
	}
}

func distant(handler http.Handler, config *tls.Config, h2 bool, delay time.Duration, count *atomic.Int64) int {
	near, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	far, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	server := &http.Server{Handler: handler, TLSConfig: config}
	if !h2 {
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	go server.ServeTLS(far, "", "")
	go func() {
		for {
			client, err := near.Accept()
			check(err)
			count.Add(1)
			go func() {
				time.Sleep(delay)
				backend, err := net.Dial("tcp", far.Addr().String())
				check(err)
				go travel(client, backend, delay/2)
				travel(backend, client, delay/2)
			}()
		}
	}()
	return near.Addr().(*net.TCPAddr).Port
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "the arguments are FOLDER CERTIFICATE DELAY")
		os.Exit(2)
	}
	delay, err := time.ParseDuration(os.Args[3])
	check(err)
	files := http.FileServer(http.Dir(os.Args[1]))
	trusted := certificate(os.Args[2])
	config := func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{trusted}} }
	var counts [2]atomic.Int64
	two := distant(files, config(), true, delay, &counts[0])
	one := distant(files, config(), false, delay, &counts[1])
	fmt.Println(two, one)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(counts[0].Swap(0), counts[1].Swap(0))
	}
}
