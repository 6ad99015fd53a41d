//! The C host's program: `main` is that of host/wamr/main.c.
#![no_main]

// Links WAMR's static library, which no Rust code here names.
use wamrx_sys as _;
