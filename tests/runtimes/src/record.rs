//! Reads the records of `alink-agent run --record`, docs/record.md. A damaged record is a panic: this program only
//! serves checks, and damage is the business of `alink-agent replay`.

const VERSION: u8 = 1;
const SHA256: usize = 32;

/// One call into the module.
pub struct Call {
    pub which: usize,
    pub arguments: Vec<i32>,
    /// Place of the export that tells the window's address, and the bytes for it.
    pub payload: Option<(usize, Vec<u8>)>,
    /// None: it trapped.
    pub result: Option<i32>,
    /// Place of the export that tells the window's length, and the checksum.
    pub output: Option<(usize, u32)>,
}

/// Of the flash: what a byte reads as when erased, and sizes in bytes.
#[derive(Clone, Copy)]
pub struct Layout {
    pub sector: u32,
    pub erased: u8,
    pub bytes: u32,
    pub boot: u32,
    pub boot_bytes: u32,
}

pub enum Frame {
    End,
    Instance,
    Layout(Layout),
    Snapshot(Vec<u8>),
    Note,
    Call(Call),
}

/// An exported function.
pub struct Export {
    pub name: String,
    pub parameters: usize,
}

pub struct Record {
    pub state_bytes: usize,
    pub exports: Vec<Export>,
    stream: Vec<u8>,
    at: usize,
}

/// CRC-32 of IEEE 802.3.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1))
        })
    })
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

/// What the blocks hold, one behind the other.
fn stream_of(file: &[u8]) -> Vec<u8> {
    assert_eq!(&file[..4], b"ALRC", "no record");
    assert_eq!(file[4], VERSION, "format version");
    let (mut stream, mut at) = (Vec::new(), 5);
    while at < file.len() {
        let length = u16_at(file, at);
        assert_eq!(
            length ^ 0xffff,
            u16_at(file, at + 2),
            "length of the block at {at}"
        );
        let payload = &file[at + 4..at + 4 + length];
        let crc = file[at + 4 + length..at + 8 + length]
            .try_into()
            .expect("four bytes");
        assert_eq!(
            crc32(payload),
            u32::from_le_bytes(crc),
            "checksum of the block at {at}"
        );
        stream.extend_from_slice(payload);
        at += 8 + length;
    }
    stream
}

impl Record {
    pub fn new(file: &[u8]) -> Self {
        let mut record = Self {
            state_bytes: 0,
            exports: Vec::new(),
            stream: stream_of(file),
            at: 0,
        };
        let (_kind, _flags, _abi) = (record.byte(), record.byte(), record.varint());
        record.state_bytes = record.varint() as usize;
        record.take(SHA256);
        for _ in 0..record.byte() {
            let parameters = usize::from(record.byte());
            let name = String::from_utf8(record.counted()).expect("name of an export");
            record.exports.push(Export { name, parameters });
        }
        record
    }

    /// The next frame; None behind the last one.
    pub fn next(&mut self) -> Option<Frame> {
        if self.at == self.stream.len() {
            return None;
        }
        let first = self.byte();
        Some(match first {
            0 => {
                self.varint();
                self.take(SHA256);
                Frame::End
            }
            1 => {
                self.varint();
                Frame::Instance
            }
            2 => Frame::Layout(self.layout()),
            3 => Frame::Snapshot(self.counted()),
            4 => {
                self.counted();
                Frame::Note
            }
            16..=23 => Frame::Call(self.call(first)),
            _ => panic!("no frame {first}, at {}", self.at - 1),
        })
    }

    fn call(&mut self, flags: u8) -> Call {
        let which = usize::from(self.byte());
        self.varint();
        let arguments = (0..self.exports[which].parameters)
            .map(|_| self.zigzag())
            .collect();
        let payload = (flags & 1 != 0).then(|| (usize::from(self.byte()), self.counted()));
        let result = if flags & 4 != 0 {
            self.counted();
            None
        } else {
            Some(self.zigzag())
        };
        let output = (flags & 2 != 0).then(|| {
            let length = usize::from(self.byte());
            let crc = self.take(4).try_into().expect("four bytes");
            (length, u32::from_le_bytes(crc))
        });
        Call {
            which,
            arguments,
            payload,
            result,
            output,
        }
    }

    fn layout(&mut self) -> Layout {
        let sector = self.varint();
        self.varint();
        let erased = self.varint() as u8;
        let (bytes, boot) = (self.varint(), self.varint());
        let boot_bytes = self.varint();
        Layout {
            sector,
            erased,
            bytes,
            boot,
            boot_bytes,
        }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.at += length;
        self.stream[self.at - length..self.at].to_vec()
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn varint(&mut self) -> u32 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }

    fn zigzag(&mut self) -> i32 {
        let value = self.varint();
        (value >> 1) as i32 ^ -((value & 1) as i32)
    }

    fn counted(&mut self) -> Vec<u8> {
        let length = self.varint() as usize;
        self.take(length)
    }
}
