//! Compiles host/wamr/*.c against the header that the crate wamrx-sys carries.

use cargo_metadata::{camino::Utf8PathBuf, MetadataCommand};
use std::{fs, path::Path};

/// The crate tells dependents nothing about its sources (`links = "iwasm"` without metadata), so cargo is asked for them.
fn wamr_include() -> Utf8PathBuf {
    let metadata = MetadataCommand::new()
        .exec()
        .expect("cargo metadata has no answer");
    let package = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "wamrx-sys")
        .expect("wamrx-sys is not among the dependencies");
    let include = package
        .manifest_path
        .with_file_name("wasm-micro-runtime/core/iwasm/include");
    assert!(
        include.join("wasm_export.h").exists(),
        "{include} has no wasm_export.h"
    );
    include
}

fn main() {
    let host = Path::new("../../host/wamr");
    println!("cargo:rerun-if-changed={}", host.display());
    let mut build = cc::Build::new();
    for entry in fs::read_dir(host).expect("host/wamr cannot be read") {
        let path = entry.expect("host/wamr cannot be read").path();
        println!("cargo:rerun-if-changed={}", path.display());
        if path.extension().is_some_and(|extension| extension == "c") {
            build.file(path);
        }
    }
    let include = wamr_include();
    build
        .std("c99")
        .flag("-pedantic")
        .flag(format!("-isystem{include}"))
        .warnings(true)
        .extra_warnings(true)
        .warnings_into_errors(true)
        .compile("alink_wamr");
    for library in ["mbedtls", "mbedx509", "mbedcrypto"] {
        println!("cargo:rustc-link-arg-bin=alink-wamr=-l{library}");
    }
}
