//! The flash as the operations in a record make it, with the C host's boot record (host/wamr/boot.c).

use crate::record::Layout;
use std::ffi::c_void;

/// Starts of an image on trial before the one before it comes back; the hosts' number.
const TRIALS: u8 = 3;

type Access<T> = extern "C" fn(*mut c_void, u32, T, u32) -> bool;

/// Sectors of the boot region that are used at most; the hosts' number.
const BOOT_SECTORS: u32 = 4;

/// `struct alink_boot_flash` of boot.h.
#[repr(C)]
struct BootFlash {
    context: *mut c_void,
    offset: u32,
    sector: u32,
    sectors: u32,
    read: Access<*mut u8>,
    write: Access<*const u8>,
    erase: extern "C" fn(*mut c_void, u32, u32) -> bool,
    flush: extern "C" fn(*mut c_void) -> bool,
}

/// `struct alink_boot_started` of boot.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Started {
    slot: u8,
    how: u8,
    reason: u32,
}

extern "C" {
    fn alink_boot_start(flash: *const BootFlash, started: *mut Started) -> bool;
    fn alink_boot_activate(
        flash: *const BootFlash,
        started: *const Started,
        slot: u8,
        trials: u8,
    ) -> bool;
    fn alink_boot_confirm(flash: *const BootFlash, started: *mut Started) -> bool;
}

pub struct Flash {
    pub bytes: Vec<u8>,
    layout: Layout,
    started: Started,
}

/// SAFETY of all four: `context` is the `Flash` that `boot` lends out, and nothing else refers to it then.
fn bytes_of<'a>(context: *mut c_void, offset: u32, length: u32) -> &'a mut [u8] {
    let flash = unsafe { &mut *context.cast::<Flash>() };
    &mut flash.bytes[offset as usize..(offset + length) as usize]
}

extern "C" fn read(context: *mut c_void, offset: u32, to: *mut u8, length: u32) -> bool {
    let to = unsafe { std::slice::from_raw_parts_mut(to, length as usize) };
    to.copy_from_slice(bytes_of(context, offset, length));
    true
}

extern "C" fn write(context: *mut c_void, offset: u32, from: *const u8, length: u32) -> bool {
    let from = unsafe { std::slice::from_raw_parts(from, length as usize) };
    bytes_of(context, offset, length).copy_from_slice(from);
    true
}

extern "C" fn erase(context: *mut c_void, offset: u32, length: u32) -> bool {
    let erased = unsafe { &*context.cast::<Flash>() }.layout.erased;
    bytes_of(context, offset, length).fill(erased);
    true
}

extern "C" fn flush(_: *mut c_void) -> bool {
    true
}

impl Flash {
    pub fn new(layout: Layout) -> Self {
        Self {
            bytes: vec![layout.erased; layout.bytes as usize],
            layout,
            started: Started::default(),
        }
    }

    /// The device starts: the boot loader decides what runs.
    pub fn start(&mut self) {
        let mut started = Started::default();
        let flash = self.boot();
        assert!(
            unsafe { alink_boot_start(&flash, &mut started) },
            "boot: start"
        );
        self.started = started;
    }

    /// `enum alink_boot_op`: 1 activate, 2 confirm. Done before, so it does not fail here.
    pub fn ask(&mut self, op: i32, slot: i32) {
        let mut started = self.started;
        let flash = self.boot();
        let done = match op {
            1 => unsafe { alink_boot_activate(&flash, &started, slot as u8, TRIALS) },
            2 => unsafe { alink_boot_confirm(&flash, &mut started) },
            _ => true,
        };
        assert!(done, "boot: request {op} for slot {slot}");
        self.started = started;
    }

    /// `enum alink_flash_op`: 1 read and 2 write have `bytes`, 3 erases.
    pub fn operate(&mut self, op: i32, offset: i32, length: i32, bytes: &[u8]) {
        let range = offset as usize..(offset + length) as usize;
        match op {
            1 | 2 => self.bytes[range].copy_from_slice(bytes),
            3 => self.bytes[range].fill(self.layout.erased),
            _ => {}
        }
    }

    fn boot(&mut self) -> BootFlash {
        BootFlash {
            context: std::ptr::from_mut(self).cast(),
            offset: self.layout.boot,
            sector: self.layout.sector,
            sectors: BOOT_SECTORS.min(self.layout.boot_bytes / self.layout.sector),
            read,
            write,
            erase,
            flush,
        }
    }
}
