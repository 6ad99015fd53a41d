//! The digests of a crypto module on a runtime of choice: `digests RUNTIME MODULE`, RUNTIME one of wamr, wasm3, wasmi.
//! A line on stdin is `KIND KEY MESSAGE`: 0 MD5, 1 SHA-1, 2 SHA-256; key (`-`: a digest, else its HMAC) and message in
//! hexadecimal (`-`: empty). A line on stdout is the result in hexadecimal.

mod runtime;

use runtime::{instantiate, Runtime};
use std::io::{self, BufRead, Write};

/// Bytes of a message handed over at a time; more than any digest's block, and no multiple of one.
const PIECE: usize = 1000;

/// Places in the module's window.
struct Places {
    context: i32,
    out: i32,
    bytes: i32,
}

fn absorb(
    module: &mut dyn Runtime,
    at: &Places,
    bytes: &[u8],
    mut update: impl FnMut(&mut dyn Runtime, i32, i32),
) {
    for piece in bytes.chunks(PIECE) {
        module.write(at.bytes, piece);
        update(module, at.bytes, piece.len() as i32);
    }
}

fn digest(module: &mut dyn Runtime, at: &Places, kind: i32, message: &[u8]) -> Vec<u8> {
    module.run("digestInit", &[kind, at.context]);
    absorb(module, at, message, |module, from, length| {
        module.run("digestUpdate", &[kind, at.context, from, length]);
    });
    module.run("digestFinal", &[kind, at.context, at.out]);
    result(module, at, kind)
}

fn hmac(module: &mut dyn Runtime, at: &Places, kind: i32, key: &[u8], message: &[u8]) -> Vec<u8> {
    module.write(at.bytes, key);
    module.run("hmacInit", &[at.context, kind, at.bytes, key.len() as i32]);
    absorb(module, at, message, |module, from, length| {
        module.run("hmacUpdate", &[at.context, from, length]);
    });
    module.run("hmacFinal", &[at.context, at.out]);
    result(module, at, kind)
}

fn result(module: &mut dyn Runtime, at: &Places, kind: i32) -> Vec<u8> {
    let length = module.value("digestLength", &[kind]);
    module.read(at.out, length as usize)
}

fn from_hex(text: &str) -> Vec<u8> {
    let text = if text == "-" { "" } else { text };
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("not hexadecimal"))
        .collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, file] = arguments.as_slice() else {
        eprintln!("usage: digests wamr|wasm3|wasmi MODULE");
        std::process::exit(2);
    };
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut module = instantiate(name, bytes);
    let context = module.value("windowPtr", &[]);
    let at = Places {
        context,
        out: context + 512,
        bytes: context + 1024,
    };
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let [kind, key, message] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("not KIND KEY MESSAGE: {line}");
        };
        let kind = kind.parse().expect("KIND is a number");
        let found = match key {
            "-" => digest(&mut *module, &at, kind, &from_hex(message)),
            _ => hmac(&mut *module, &at, kind, &from_hex(key), &from_hex(message)),
        };
        let text: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(out, "{text}").expect("stdout is closed");
    }
}
