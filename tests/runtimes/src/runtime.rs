//! One face for three interpreters. A missing export is a panic, and a trap where nobody asks about it: these programs
//! only serve checks.

use std::ffi::{CStr, CString};
use wamrx_sys as wamr;

/// An instance of a module without imports, whose functions take i32.
pub trait Runtime {
    /// Calls a function without result.
    fn run(&mut self, name: &str, arguments: &[i32]);
    /// Calls a function with an i32 result. A trap is an error, in the runtime's words.
    fn call(&mut self, name: &str, arguments: &[i32]) -> Result<i32, String>;
    /// As `call`, of a function that does not trap.
    fn value(&mut self, name: &str, arguments: &[i32]) -> i32 {
        self.call(name, arguments).expect(name)
    }
    fn read(&mut self, at: i32, length: usize) -> Vec<u8>;
    fn write(&mut self, at: i32, bytes: &[u8]);
}

pub struct Wasmi {
    store: wasmi::Store<()>,
    instance: wasmi::Instance,
}

impl Wasmi {
    pub fn new(bytes: Vec<u8>) -> Self {
        let engine = wasmi::Engine::default();
        let module = wasmi::Module::new(&engine, bytes).expect("wasmi: module");
        let mut store = wasmi::Store::new(&engine, ());
        let instance = wasmi::Linker::new(&engine)
            .instantiate_and_start(&mut store, &module)
            .expect("wasmi: instance");
        Self { store, instance }
    }

    fn invoke(
        &mut self,
        name: &str,
        arguments: &[i32],
        results: &mut [wasmi::Val],
    ) -> Result<(), String> {
        let function = self.instance.get_func(&self.store, name).expect(name);
        let arguments: Vec<_> = arguments.iter().map(|&a| wasmi::Val::I32(a)).collect();
        function
            .call(&mut self.store, &arguments, results)
            .map_err(|error| error.to_string())
    }

    fn memory(&self) -> wasmi::Memory {
        self.instance
            .get_memory(&self.store, "memory")
            .expect("memory")
    }
}

impl Runtime for Wasmi {
    fn run(&mut self, name: &str, arguments: &[i32]) {
        self.invoke(name, arguments, &mut []).expect(name);
    }

    fn call(&mut self, name: &str, arguments: &[i32]) -> Result<i32, String> {
        let mut results = [wasmi::Val::I32(0)];
        self.invoke(name, arguments, &mut results)?;
        Ok(results[0].i32().expect(name))
    }

    fn read(&mut self, at: i32, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.memory()
            .read(&self.store, at as usize, &mut bytes)
            .expect("read");
        bytes
    }

    fn write(&mut self, at: i32, bytes: &[u8]) {
        self.memory()
            .write(&mut self.store, at as usize, bytes)
            .expect("write");
    }
}

pub struct Wasm3 {
    runtime: wasm3::Runtime,
}

impl Wasm3 {
    pub fn new(bytes: Vec<u8>) -> Self {
        let environment = wasm3::Environment::new().expect("wasm3: environment");
        let runtime = environment
            .create_runtime(16 * 1024)
            .expect("wasm3: runtime");
        runtime.parse_and_load_module(bytes).expect("wasm3: module");
        Self { runtime }
    }

    fn invoke<T: wasm3::WasmType>(&self, name: &str, arguments: &[i32]) -> Result<T, String> {
        let runtime = &self.runtime;
        match *arguments {
            [] => runtime.find_function::<(), T>(name).expect(name).call(),
            [a] => runtime.find_function::<i32, T>(name).expect(name).call(a),
            [a, b] => runtime
                .find_function::<(i32, i32), T>(name)
                .expect(name)
                .call(a, b),
            [a, b, c] => runtime
                .find_function::<(i32, i32, i32), T>(name)
                .expect(name)
                .call(a, b, c),
            [a, b, c, d] => runtime
                .find_function::<(i32, i32, i32, i32), T>(name)
                .expect(name)
                .call(a, b, c, d),
            _ => panic!("{name}: too many arguments"),
        }
        .map_err(|error| error.to_string())
    }
}

impl Runtime for Wasm3 {
    fn run(&mut self, name: &str, arguments: &[i32]) {
        self.invoke::<()>(name, arguments).expect(name);
    }

    fn call(&mut self, name: &str, arguments: &[i32]) -> Result<i32, String> {
        self.invoke(name, arguments)
    }

    fn read(&mut self, at: i32, length: usize) -> Vec<u8> {
        // SAFETY: no function runs while the slice lives.
        let memory = unsafe { &*self.runtime.memory() };
        memory[at as usize..at as usize + length].to_vec()
    }

    fn write(&mut self, at: i32, bytes: &[u8]) {
        // SAFETY: as above; nothing else refers to the memory.
        let memory = unsafe { &mut *self.runtime.memory_mut() };
        memory[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    }
}

/// WAMR by its embedding API, as the C host uses it: the memory is shrunk to `__heap_base`.
pub struct Wamr {
    _bytes: Vec<u8>,
    instance: wamr::wasm_module_inst_t,
    environment: wamr::wasm_exec_env_t,
}

impl Wamr {
    pub fn new(mut bytes: Vec<u8>) -> Self {
        let mut why = [0; 128];
        // SAFETY: `bytes` lives as long as the module, which is never unloaded.
        unsafe {
            assert!(wamr::wasm_runtime_init());
            let (data, size) = (bytes.as_mut_ptr(), bytes.len() as u32);
            let module = wamr::wasm_runtime_load(data, size, why.as_mut_ptr(), 128);
            assert!(!module.is_null(), "{:?}", CStr::from_ptr(why.as_ptr()));
            let instance = wamr::wasm_runtime_instantiate(module, 8192, 0, why.as_mut_ptr(), 128);
            assert!(!instance.is_null(), "{:?}", CStr::from_ptr(why.as_ptr()));
            let environment = wamr::wasm_runtime_create_exec_env(instance, 8192);
            assert!(!environment.is_null());
            Self {
                _bytes: bytes,
                instance,
                environment,
            }
        }
    }

    fn invoke(&mut self, name: &str, arguments: &[i32]) -> Result<i32, String> {
        let mut cells = [0_u32; 4];
        for (cell, &argument) in cells.iter_mut().zip(arguments) {
            *cell = argument as u32;
        }
        let text = CString::new(name).expect(name);
        // SAFETY: all functions here take `arguments` i32 and give at most one.
        unsafe {
            let function = wamr::wasm_runtime_lookup_function(self.instance, text.as_ptr());
            assert!(!function.is_null(), "no {name}");
            let count = arguments.len() as u32;
            let cells = cells.as_mut_ptr();
            if !wamr::wasm_runtime_call_wasm(self.environment, function, count, cells) {
                let why = CStr::from_ptr(wamr::wasm_runtime_get_exception(self.instance));
                return Err(why.to_string_lossy().into_owned());
            }
        }
        Ok(cells[0] as i32)
    }

    fn bytes(&mut self, at: i32, length: usize) -> &mut [u8] {
        // SAFETY: validated, and no function runs while the slice lives.
        unsafe {
            let inside =
                wamr::wasm_runtime_validate_app_addr(self.instance, at as u64, length as u64);
            assert!(inside, "{length} bytes at {at} are outside of the memory");
            let first = wamr::wasm_runtime_addr_app_to_native(self.instance, at as u64);
            std::slice::from_raw_parts_mut(first.cast(), length)
        }
    }
}

impl Runtime for Wamr {
    fn run(&mut self, name: &str, arguments: &[i32]) {
        self.invoke(name, arguments).expect(name);
    }

    fn call(&mut self, name: &str, arguments: &[i32]) -> Result<i32, String> {
        self.invoke(name, arguments)
    }

    fn read(&mut self, at: i32, length: usize) -> Vec<u8> {
        self.bytes(at, length).to_vec()
    }

    fn write(&mut self, at: i32, bytes: &[u8]) {
        self.bytes(at, bytes.len()).copy_from_slice(bytes);
    }
}

/// An instance on a runtime: wamr, wasm3 or wasmi.
pub fn instantiate(runtime: &str, module: Vec<u8>) -> Box<dyn Runtime> {
    match runtime {
        "wamr" => Box::new(Wamr::new(module)),
        "wasm3" => Box::new(Wasm3::new(module)),
        "wasmi" => Box::new(Wasmi::new(module)),
        _ => panic!("no runtime {runtime}: wamr, wasm3 or wasmi"),
    }
}
