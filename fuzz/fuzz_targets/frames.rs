//! What an operator server sends: frames one after another, and their messages. A frame that was read is written as the
//! same bytes of body and the same header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use operator_server::frame::{read_frame, write_frame};
use operator_server::message::ServerMessage;

fuzz_target!(|data: &[u8]| {
    let mut left = data;
    loop {
        match read_frame(&mut left) {
            Ok(Some(frame)) => {
                match frame.message::<ServerMessage>() {
                    Ok(message) => drop(format!("{message:?}")),
                    Err(error) => drop(error.to_string()),
                }
                if let Ok(header) = serde_json::from_slice::<serde_json::Value>(&frame.header) {
                    let mut bytes = Vec::new();
                    write_frame(&mut bytes, &header, &frame.body).expect("what was read is not too large");
                    let again = read_frame(&mut bytes.as_slice()).expect("what was written can be read");
                    let again = again.expect("there is a frame");
                    assert_eq!(again.body, frame.body);
                    // As text: a number of many digits is read as one that is near, and written as another one.
                    assert_eq!(again.header, serde_json::to_vec(&header).expect("it was JSON"));
                }
            }
            Ok(None) => return assert!(left.is_empty()),
            Err(error) => return drop(error.to_string()),
        }
    }
});
