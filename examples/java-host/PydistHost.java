import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * A host in plain Java, 11 or newer, for the operators of Python extensions: it starts {@code pydist extension serve --stdio} and
 * speaks docs/formats/host-protocol.md with it. It shows that a program of the JVM can do so; it is not a plug-in of any product.
 *
 * <p>{@code java PydistHost.java PYDIST FOLDER [OPTION…]} runs the operators of examples/extensions, with files in FOLDER. The options are
 * those of {@code pydist extension}.
 */
public final class PydistHost implements AutoCloseable {
    /** What pydist answered instead of a result. */
    public static final class HostException extends Exception {
        private static final long serialVersionUID = 1;
        public final String code;
        public final String hint;

        HostException(Map<String, Object> error) {
            super(error.get("message") + causes(error));
            code = String.valueOf(error.get("code"));
            hint = error.get("hint") == null ? "" : String.valueOf(error.get("hint"));
        }

        private static String causes(Map<String, Object> error) {
            StringBuilder text = new StringBuilder();
            for (Object cause : (List<?>) error.getOrDefault("causes", new ArrayList<>())) {
                text.append(": ").append(cause);
            }
            return text.toString();
        }
    }

    private static final class Waiting {
        final CompletableFuture<Map<String, Object>> answer = new CompletableFuture<>();
        final Consumer<Map<String, Object>> onEvent;

        Waiting(Consumer<Map<String, Object>> onEvent) {
            this.onEvent = onEvent;
        }
    }

    /** A request that was sent. */
    public final class Call {
        private final long id;
        private final CompletableFuture<Map<String, Object>> answer;

        Call(long id, CompletableFuture<Map<String, Object>> answer) {
            this.id = id;
            this.answer = answer;
        }

        public Map<String, Object> result() throws IOException, InterruptedException, HostException {
            Map<String, Object> line;
            try {
                line = answer.get();
            } catch (ExecutionException failed) {
                throw new IOException("pydist has ended", failed.getCause());
            }
            if (line.containsKey("error")) {
                throw new HostException(object(line.get("error")));
            }
            return object(line.get("result"));
        }

        public void cancel() throws IOException {
            send("cancel", map("request", id), event -> { });
        }
    }

    private final Process process;
    private final Writer input;
    private final Map<Long, Waiting> waiting = new ConcurrentHashMap<>();
    private final AtomicLong lastId = new AtomicLong();

    public PydistHost(String program, List<String> options) throws IOException, InterruptedException, HostException {
        List<String> command = new ArrayList<>(Arrays.asList(program, "extension", "serve", "--stdio"));
        command.addAll(options);
        process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        input = new BufferedWriter(new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8));
        Thread reader = new Thread(this::read, "pydist");
        reader.setDaemon(true);
        reader.start();
        send("hello", map("protocol", 1), event -> { }).result();
    }

    /** Sends a request. {@code onEvent} hears progress, logs and output of it, on another thread. */
    public Call send(String method, Map<String, Object> members, Consumer<Map<String, Object>> onEvent) throws IOException {
        long id = lastId.incrementAndGet();
        Map<String, Object> request = new LinkedHashMap<>();
        request.put("id", id);
        request.put("method", method);
        request.putAll(members);
        Waiting call = new Waiting(onEvent);
        waiting.put(id, call);
        synchronized (input) {
            input.write(Json.write(request) + "\n");
            input.flush();
        }
        return new Call(id, call.answer);
    }

    private void read() {
        Exception end = new IOException("its output ended");
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                Map<String, Object> message = object(new Json(line).read());
                if (!(message.get("id") instanceof Number)) {
                    continue;
                }
                long id = ((Number) message.get("id")).longValue();
                if (!message.containsKey("event")) {
                    Waiting call = waiting.remove(id);
                    if (call != null) {
                        call.answer.complete(message);
                    }
                } else if (waiting.containsKey(id)) {
                    waiting.get(id).onEvent.accept(message);
                }
            }
        } catch (IOException | RuntimeException error) {
            end = error;
        }
        for (Waiting call : waiting.values()) {
            call.answer.completeExceptionally(end);
        }
    }

    /** Lets calls that run finish; then all Python servers end, and pydist with them. */
    @Override
    public void close() throws IOException {
        try {
            send("close", map(), event -> { }).result();
            process.getOutputStream().close();
            if (!process.waitFor(30, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (HostException | InterruptedException error) {
            process.destroyForcibly();
            throw new IOException(error);
        }
    }

    // --- What the example does ---

    private Call run(String operator, Map<String, Object> parameters, Map<String, Object> inputs, Map<String, Object> outputs,
            Consumer<Map<String, Object>> onEvent) throws IOException {
        return send("run", map("operator", operator, "parameters", parameters, "inputs", inputs, "outputs", outputs), onEvent);
    }

    private static void tell(String name, Call call) throws IOException, InterruptedException {
        try {
            System.out.println(name + ": " + Json.write(call.result().get("outputs")));
        } catch (HostException error) {
            System.out.println(name + ": " + error.code + ": " + error.getMessage() + (error.hint.isEmpty() ? "" : "; " + error.hint));
        }
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[1]).toAbsolutePath();
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("text.txt"), "to be or not to be");
        Files.writeString(folder.resolve("table.csv"), "name,price\na,1.5\nb,2.5\n");
        Consumer<Map<String, Object>> silent = event -> { };
        try (PydistHost host = new PydistHost(arguments[0], Arrays.asList(arguments).subList(2, arguments.length))) {
            for (Object one : (List<?>) host.send("list", map(), silent).result().get("extensions")) {
                Map<String, Object> extension = object(one);
                System.out.println(extension.get("namespace") + " " + extension.get("version") + ": " + extension.get("state"));
            }
            tell("count_words", host.run("text_tools:count_words", map("at_least", 2), map("texts", file(folder, "text.txt")),
                    map("counts", file(folder, "counts.csv")), silent));
            tell("scale", host.run("table_tools:scale", map("factor", 10), map("table", file(folder, "table.csv")),
                    map("scaled", file(folder, "scaled.arrow")), silent));
            tell("total", host.run("table_tools:total", map(), map("table", file(folder, "scaled.arrow")),
                    map("totals", file(folder, "totals.csv")), silent));
            Map<String, Object> quotient = map("result", file(folder, "quotient.txt"));
            tell("divide", host.run("table_tools:divide", map("dividend", 7, "divisor", 2), map(), quotient, silent));
            tell("divide by 0", host.run("table_tools:divide", map("dividend", 7, "divisor", 0), map(), map(), silent));
            tell("misspelt", host.run("table_tools:divide", map("divident", 7), map(), map(), silent));

            Consumer<Map<String, Object>> shown = event -> {
                if ("progress".equals(event.get("event"))) {
                    System.out.println("  " + event.get("text"));
                }
            };
            tell("train", host.run("table_tools:train", map("rounds", 3), map(), map(), shown));

            CompletableFuture<Object> begun = new CompletableFuture<>();
            Call endless = host.run("table_tools:train", map("rounds", 100000), map(), map(), begun::complete);
            begun.get();
            // Another server works meanwhile.
            tell("count_words beside it", host.run("text_tools:count_words", map(), map("texts", file(folder, "text.txt")), map(), silent));
            endless.cancel();
            tell("cancelled", endless);

            tell("end_python", host.run("table_tools:end_python", map(), map(), map(), silent));
            tell("divide after that", host.run("table_tools:divide", map("dividend", 1, "divisor", 4), map(), map(), silent));
        }
        System.out.println("closed");
    }

    private static Map<String, Object> file(Path folder, String name) {
        return map("path", folder.resolve(name).toString());
    }

    private static Map<String, Object> map(Object... keysAndValues) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int at = 0; at < keysAndValues.length; at += 2) {
            map.put((String) keysAndValues[at], keysAndValues[at + 1]);
        }
        return map;
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> object(Object value) {
        return (Map<String, Object>) value;
    }

    /** As much JSON as this needs: objects are maps, lists are lists, numbers are Long or Double. */
    static final class Json {
        private final String text;
        private int at;

        Json(String text) {
            this.text = text;
        }

        Object read() {
            switch (next()) {
                case '{':
                    Map<String, Object> map = new LinkedHashMap<>();
                    at++;
                    while (next() != '}') {
                        String key = string();
                        next();
                        at++;
                        map.put(key, read());
                        skip(',');
                    }
                    at++;
                    return map;
                case '[':
                    List<Object> list = new ArrayList<>();
                    at++;
                    while (next() != ']') {
                        list.add(read());
                        skip(',');
                    }
                    at++;
                    return list;
                case '"':
                    return string();
                default:
                    return word();
            }
        }

        private char next() {
            while (Character.isWhitespace(text.charAt(at))) {
                at++;
            }
            return text.charAt(at);
        }

        private void skip(char mark) {
            if (next() == mark) {
                at++;
            }
        }

        private String string() {
            StringBuilder read = new StringBuilder();
            next();
            for (at++; text.charAt(at) != '"'; at++) {
                char character = text.charAt(at);
                if (character == '\\') {
                    character = text.charAt(++at);
                    int known = "bfnrt".indexOf(character);
                    if (character == 'u') {
                        character = (char) Integer.parseInt(text.substring(at + 1, at + 5), 16);
                        at += 4;
                    } else if (known >= 0) {
                        character = "\b\f\n\r\t".charAt(known);
                    }
                }
                read.append(character);
            }
            at++;
            return read.toString();
        }

        private Object word() {
            int begin = at;
            while (at < text.length() && ",]} \t".indexOf(text.charAt(at)) < 0) {
                at++;
            }
            String word = text.substring(begin, at);
            if (word.equals("true") || word.equals("false")) {
                return Boolean.valueOf(word);
            }
            if (word.equals("null")) {
                return null;
            }
            return word.matches("-?\\d+") ? (Object) Long.valueOf(word) : Double.valueOf(word);
        }

        static String write(Object value) {
            if (value instanceof Map) {
                List<String> members = new ArrayList<>();
                ((Map<?, ?>) value).forEach((key, member) -> members.add(write(key) + ":" + write(member)));
                return "{" + String.join(",", members) + "}";
            }
            if (value instanceof List) {
                List<String> items = new ArrayList<>();
                ((List<?>) value).forEach(item -> items.add(write(item)));
                return "[" + String.join(",", items) + "]";
            }
            if (!(value instanceof String)) {
                return String.valueOf(value);
            }
            StringBuilder text = new StringBuilder("\"");
            for (char character : ((String) value).toCharArray()) {
                boolean isPlain = character >= ' ' && character != '"' && character != '\\';
                text.append(isPlain ? String.valueOf(character) : String.format("\\u%04x", (int) character));
            }
            return text.append('"').toString();
        }
    }
}
