//! A record on a runtime of choice: `replay RUNTIME MODULE RECORD [IMAGE]`, RUNTIME one of wamr, wasm3, wasmi. Makes
//! every call again and compares results and outputs with what the record says; writes the state after the last call
//! to stdout, and the flash image that the operations make to IMAGE. A difference is exit code 1 with the call's number.

mod flash;
mod record;
#[allow(dead_code, reason = "functions without a result are for the digests")]
mod runtime;

use flash::Flash;
use record::{crc32, Call, Frame, Record};
use runtime::{instantiate, Runtime};
use std::{collections::HashMap, io::Write};

struct Replay {
    record: Record,
    module: Option<Box<dyn Runtime>>,
    flash: Option<Flash>,
    /// The last answer of each export, and the bytes that flashPtr pointed out.
    answers: HashMap<String, i32>,
    to_write: Vec<u8>,
    calls: u64,
}

impl Replay {
    fn name(&self, which: usize) -> String {
        self.record.exports[which].name.clone()
    }

    fn module(&mut self) -> &mut dyn Runtime {
        self.module
            .as_deref_mut()
            .expect("a call before the instance")
    }

    /// Asks the export that belongs to a window, with as many of the call's arguments as it takes.
    fn ask(&mut self, which: usize, arguments: &[i32]) -> i32 {
        let name = self.name(which);
        let count = self.record.exports[which].parameters;
        self.module().value(&name, &arguments[..count])
    }

    /// The bytes of a window; none when they are not all in the state.
    fn window(&mut self, at: i32, length: i32) -> Vec<u8> {
        let inside =
            at >= 0 && length > 0 && at as usize + length as usize <= self.record.state_bytes;
        if inside {
            self.module().read(at, length as usize)
        } else {
            Vec::new()
        }
    }

    fn call(&mut self, call: &Call) -> Result<(), String> {
        self.calls += 1;
        let name = self.name(call.which);
        if let Some((address, bytes)) = &call.payload {
            let at = self.ask(*address, &call.arguments);
            self.module().write(at, bytes);
        }
        let result = match (self.module().call(&name, &call.arguments), call.result) {
            (Ok(result), Some(expected)) if result == expected => result,
            (Err(_), None) => return Ok(()),
            (found, expected) => {
                return Err(format!(
                    "{name} gives {found:?}, the record says {expected:?}"
                ))
            }
        };
        if let Some((length, expected)) = call.output {
            let length = self.ask(length, &call.arguments);
            let bytes = self.window(result, length);
            if crc32(&bytes) != expected {
                return Err(format!("{name} points out other bytes than in the record"));
            }
            if name == "flashPtr" {
                self.to_write = bytes;
            }
        }
        self.follow(&name, call);
        self.answers.insert(name, result);
        Ok(())
    }

    fn follow(&mut self, name: &str, call: &Call) {
        let answer = |name: &str| self.answers.get(name).copied().unwrap_or(0);
        let Some(flash) = &mut self.flash else { return };
        match (name, call.arguments.as_slice()) {
            ("booted", _) => flash.start(),
            ("bootDone", [0]) => flash.ask(answer("bootOp"), answer("bootSlot")),
            ("flashDone", [0]) => {
                let bytes = call
                    .payload
                    .as_ref()
                    .map_or(&self.to_write, |(_, read)| read);
                flash.operate(
                    answer("flashOp"),
                    answer("flashOffset"),
                    answer("flashLen"),
                    bytes,
                );
            }
            _ => {}
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, module, record, image @ ..] = arguments.as_slice() else {
        eprintln!("usage: replay wamr|wasm3|wasmi MODULE RECORD [IMAGE]");
        std::process::exit(2);
    };
    let read =
        |file: &String| std::fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let bytes = read(module);
    let mut replay = Replay {
        record: Record::new(&read(record)),
        module: None,
        flash: None,
        answers: HashMap::new(),
        to_write: Vec::new(),
        calls: 0,
    };
    while let Some(frame) = replay.record.next() {
        match frame {
            Frame::Instance => replay.module = Some(instantiate(name, bytes.clone())),
            Frame::Snapshot(state) => {
                let mut fresh = instantiate(name, bytes.clone());
                fresh.write(0, &state);
                replay.module = Some(fresh);
            }
            Frame::Layout(layout) => {
                replay.flash.get_or_insert_with(|| Flash::new(layout));
            }
            Frame::Call(call) if replay.module.is_some() => {
                if let Err(why) = replay.call(&call) {
                    eprintln!("replay: on {name} call {} differs: {why}", replay.calls);
                    std::process::exit(1);
                }
            }
            Frame::Call(_) | Frame::Note | Frame::End => {}
        }
    }
    let length = replay.record.state_bytes;
    let state = replay.module().read(0, length);
    std::io::stdout()
        .write_all(&state)
        .expect("stdout is closed");
    if let ([image], Some(flash)) = (image, &replay.flash) {
        std::fs::write(image, &flash.bytes).unwrap_or_else(|error| panic!("{image}: {error}"));
    }
    eprintln!("{} calls", replay.calls);
}
