//! Frames of PDL1: magic, two lengths, a JSON header, raw bytes.

use std::io::{self, ErrorKind, Read, Write};

use serde::de::DeserializeOwned;
use serde_json::Value;
use vocab::typed_json;

/// First bytes of each frame.
pub const MAGIC: [u8; 4] = *b"PDL1";
/// In bytes.
pub const LARGEST_HEADER: u32 = 16 << 20;
/// In bytes; longer values take several frames.
pub const LARGEST_CHUNK: u32 = 8 << 20;

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// JSON, as it came.
    pub header: Vec<u8>,
    pub body: Vec<u8>,
}

impl Frame {
    /// The header as a type.
    pub fn message<T: DeserializeOwned>(&self) -> Result<T, FrameError> {
        typed_json::read_record(&self.header).map_err(|error| FrameError::Header { reason: error.to_string() })
    }
}

/// The other side does not speak the protocol, or is gone.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the connection failed")]
    Io(#[from] io::Error),
    #[error("it ends within a frame")]
    Cut,
    #[error("a frame begins with {found:02x?} instead of `PDL1`")]
    Magic { found: [u8; 4] },
    #[error("a frame has {length} bytes of {part}; at most {largest} are allowed")]
    TooLarge { part: &'static str, length: u32, largest: u32 },
    #[error("a header makes no sense: {reason}")]
    Header { reason: String },
}

/// Reads one frame; `None` at the end of the connection between two frames.
pub fn read_frame(reader: &mut impl Read) -> Result<Option<Frame>, FrameError> {
    let mut start = [0; 12];
    let mut length = 0;
    while length < start.len() {
        match reader.read(&mut start[length..]) {
            Ok(0) if length == 0 => return Ok(None),
            Ok(0) => return Err(FrameError::Cut),
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let number = |at: usize| u32::from_le_bytes([start[at], start[at + 1], start[at + 2], start[at + 3]]);
    let magic = [start[0], start[1], start[2], start[3]];
    if magic != MAGIC {
        return Err(FrameError::Magic { found: magic });
    }
    let header = bytes(reader, number(4), LARGEST_HEADER, 1 << 20, "header")?;
    // Most are as long as they may be; to let them grow would copy each of them.
    let body = bytes(reader, number(8), LARGEST_CHUNK, LARGEST_CHUNK, "body")?;
    Ok(Some(Frame { header, body }))
}

/// Beyond `reserved` bytes, memory grows with what arrives, not with what is announced.
fn bytes(
    reader: &mut impl Read,
    length: u32,
    largest: u32,
    reserved: u32,
    part: &'static str,
) -> Result<Vec<u8>, FrameError> {
    if length > largest {
        return Err(FrameError::TooLarge { part, length, largest });
    }
    let mut bytes = Vec::with_capacity(length.min(reserved) as usize);
    reader.by_ref().take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() < length as usize {
        return Err(FrameError::Cut);
    }
    Ok(bytes)
}

/// Writes one frame. Whatever is larger than allowed is refused before anything is written.
pub fn write_frame(writer: &mut impl Write, header: &Value, body: &[u8]) -> Result<(), FrameError> {
    let header = header.to_string();
    let held = |part, length: usize, largest: u32| match u32::try_from(length) {
        Ok(length) if length <= largest => Ok(length),
        length => Err(FrameError::TooLarge { part, length: length.unwrap_or(u32::MAX), largest }),
    };
    let header_length = held("header", header.len(), LARGEST_HEADER)?;
    let body_length = held("body", body.len(), LARGEST_CHUNK)?;
    let mut start = Vec::with_capacity(12 + header.len());
    start.extend_from_slice(&MAGIC);
    start.extend_from_slice(&header_length.to_le_bytes());
    start.extend_from_slice(&body_length.to_le_bytes());
    start.extend_from_slice(header.as_bytes());
    writer.write_all(&start)?;
    writer.write_all(body)?;
    Ok(writer.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ServerMessage;

    #[test]
    fn frames_come_back_as_they_were_sent() {
        let header = serde_json::json!({ "t": "RUN", "run": 1, "text": "ü\n" });
        let mut sent = Vec::new();
        write_frame(&mut sent, &header, b"\x00\xff").unwrap();
        write_frame(&mut sent, &serde_json::json!({ "t": "PING" }), b"").unwrap();
        let mut reader = sent.as_slice();
        let frame = read_frame(&mut reader).unwrap().unwrap();
        assert_eq!((frame.message::<Value>().unwrap(), frame.body), (header, vec![0, 0xff]));
        assert_eq!(read_frame(&mut reader).unwrap().unwrap().message::<Value>().unwrap()["t"], "PING");
        assert!(read_frame(&mut reader).unwrap().is_none());
    }

    #[test]
    fn hostile_frames_are_refused_without_reserving_what_they_announce() {
        let with_lengths = |magic: &[u8; 4], header: u32, body: u32| {
            [magic.as_slice(), &header.to_le_bytes(), &body.to_le_bytes(), b"{}"].concat()
        };
        let cases = [
            // (bytes, error)
            (with_lengths(b"HTTP", 2, 0), "a frame begins with"),
            (with_lengths(b"PDL1", u32::MAX, 0), "bytes of header; at most 16777216"),
            (with_lengths(b"PDL1", 2, (8 << 20) + 1), "bytes of body; at most 8388608"),
            (with_lengths(b"PDL1", 16 << 20, 0), "it ends within a frame"),
            (b"PDL1\x02".to_vec(), "it ends within a frame"),
        ];
        for (bytes, expected) in cases {
            let error = read_frame(&mut bytes.as_slice()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} for {bytes:?}");
        }
        for header in ["{}", "{", "[]", r#"{"t":7}"#, &"[".repeat(100_000)] {
            let frame = Frame { header: header.as_bytes().to_vec(), body: Vec::new() };
            assert!(matches!(frame.message::<ServerMessage>(), Err(FrameError::Header { .. })), "{header}");
        }
    }
}
