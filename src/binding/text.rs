//! Reads JavaScript strings without an allocation for each.

use std::cell::RefCell;

use napi::bindgen_prelude::*;
use napi::{JsString, JsValue, sys};

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
}

/// Calls `use_it` with the string as UTF-8. Lone surrogates become U+FFFD, as with Node's Buffer.
pub fn with_utf8<T>(text: &JsString<'_>, use_it: impl FnOnce(&[u8]) -> T) -> Result<T> {
    SCRATCH.with_borrow_mut(|scratch| {
        let value = text.value();
        loop {
            let mut written = 0;
            // SAFETY: `env` and `value` come from a live handle of the current call; the buffer is
            // valid for `len` bytes and N-API writes at most that many.
            let status = unsafe {
                sys::napi_get_value_string_utf8(
                    value.env,
                    value.value,
                    scratch.as_mut_ptr().cast(),
                    scratch.len(),
                    &mut written,
                )
            };
            check(status)?;
            // A full buffer may mean a cut string: a character of up to four bytes did not fit.
            if written + 5 < scratch.len() {
                let result = use_it(scratch.get(..written).unwrap_or_default());
                if scratch.len() > MAX_SCRATCH {
                    *scratch = vec![0; MIN_SCRATCH];
                }
                return Ok(result);
            }
            let mut length = 0;
            // SAFETY: as above; a null buffer asks for the length only.
            let status = unsafe {
                sys::napi_get_value_string_utf8(
                    value.env,
                    value.value,
                    std::ptr::null_mut(),
                    0,
                    &mut length,
                )
            };
            check(status)?;
            *scratch = vec![0; length + 16];
        }
    })
}

fn check(status: sys::napi_status) -> Result<()> {
    if status == sys::Status::napi_ok {
        Ok(())
    } else {
        Err(Error::new(Status::from(status), "a string was expected"))
    }
}

const MIN_SCRATCH: usize = 64 * 1024;
/// One giant message must not hold its memory for good.
const MAX_SCRATCH: usize = 1 << 20;
