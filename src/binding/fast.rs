//! The call that is made for every emit, written against N-API directly: the generated glue would
//! check the class of `this` and every argument's type again and again.

use napi::bindgen_prelude::*;
use napi::{Env, JsString, sys};
use smallvec::SmallVec;

use super::core::deliver;
use super::text::with_utf8;
use crate::proto::engine::PacketType;
use crate::shard::SessionRef;
use crate::transport::Packet;

/// Makes `sendEvent(handle, head, args, flags, tick)`: a Socket.IO packet without attachments, given
/// as its header (type, namespace, ack id) and the JSON text of its arguments.
pub fn send_event_function(env: &Env) -> Result<Unknown<'static>> {
    let mut function = std::ptr::null_mut();
    // SAFETY: the callback has the type that N-API expects, and asks for no data.
    let value = unsafe {
        check(sys::napi_create_function(
            env.raw(),
            c"sendEvent".as_ptr(),
            9,
            Some(send_event),
            std::ptr::null_mut(),
            &mut function,
        ))?;
        Unknown::from_napi_value(env.raw(), function)?
    };
    Ok(value)
}

unsafe extern "C" fn send_event(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: called by N-API with a live environment and call.
    let sent = std::panic::catch_unwind(|| unsafe { try_send_event(env, info) });
    // A panic must not cross into C: that would end the process.
    let panicked = || Err(Error::from_reason("internal error: a panic while sending"));
    if let Err(error) = sent.unwrap_or_else(|_| panicked()) {
        // SAFETY: as above; N-API throws the error when this function returns.
        unsafe { JsError::from(error).throw_into(env) };
    }
    std::ptr::null_mut()
}

/// # Safety
/// `env` and `info` must be those of the call that is under way.
unsafe fn try_send_event(env: sys::napi_env, info: sys::napi_callback_info) -> Result<()> {
    let mut args = [std::ptr::null_mut(); ARGUMENTS];
    let mut count = ARGUMENTS;
    let (mut handle, mut flags, mut tick) = (0, 0, 0);
    // SAFETY: the buffers have the announced sizes; missing arguments are filled with `undefined`,
    // which the conversions refuse.
    let (head, json) = unsafe {
        check(sys::napi_get_cb_info(
            env,
            info,
            &mut count,
            args.as_mut_ptr(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        ))?;
        check(sys::napi_get_value_uint32(env, args[0], &mut handle))?;
        check(sys::napi_get_value_uint32(env, args[3], &mut flags))?;
        check(sys::napi_get_value_uint32(env, args[4], &mut tick))?;
        (JsString::from_napi_value(env, args[1])?, JsString::from_napi_value(env, args[2])?)
    };
    let head: SmallVec<[u8; 64]> = with_utf8(&head, SmallVec::from_slice)?;
    let packet = with_utf8(&json, |json| Packet::text(PacketType::Message, &[&head, json]))?;
    deliver(SessionRef::from_handle(handle), smallvec::smallvec![packet], flags, tick);
    Ok(())
}

fn check(status: sys::napi_status) -> Result<()> {
    if status == sys::Status::napi_ok {
        Ok(())
    } else {
        Err(Error::new(Status::from(status), "sendEvent: an argument has the wrong type"))
    }
}

const ARGUMENTS: usize = 5;
