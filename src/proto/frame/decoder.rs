//! From the bytes of a connection to messages. Complete frames are handed out in place; only what
//! is split over reads or fragments is copied, and the rest of a large frame need not be: it may be
//! read straight to where its message is put together.

use std::mem;
use std::ops::ControlFlow;

use super::error::FrameError;
use super::header::{Context, Header, OpCode};
use super::mask::unmask;

/// The most fragments of one message. npm's `ws` stops at 16 Ki, because each fragment costs it an
/// object until the message is whole; here they are joined as they come, and the length of the
/// message bounds the memory. The bound is there for messages of which only headers ever come.
pub const MAX_FRAGMENTS: u32 = 128 * 1024;

/// What the peer sent, whole.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text. Checked to be UTF-8 unless compressed: then the inflated text has to be.
    Text {
        /// The text, or its deflated form.
        data: Payload<'a>,
        /// RSV1 was set.
        compressed: bool,
    },
    /// Bytes.
    Binary {
        /// The bytes, or their deflated form.
        data: Payload<'a>,
        /// RSV1 was set.
        compressed: bool,
    },
    /// Wants a pong with the same bytes.
    Ping(&'a [u8]),
    /// Answer to a ping, or unasked for.
    Pong(&'a [u8]),
    /// The peer closes; nothing is decoded after this.
    Close {
        /// The peer's reason code; absent when the frame was empty.
        code: Option<u16>,
        /// The peer's words.
        reason: &'a str,
    },
}

/// The content of a data message.
#[derive(Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The message was one frame and lay in the input as a whole.
    Borrowed(&'a [u8]),
    /// The message had to be put together.
    Owned(Vec<u8>),
    /// As `Borrowed`, checked to be UTF-8.
    BorrowedText(&'a str),
    /// As `Owned`, checked to be UTF-8.
    OwnedText(String),
}

impl Payload<'_> {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(data) => data,
            Self::Owned(data) => data,
            Self::BorrowedText(text) => text.as_bytes(),
            Self::OwnedText(text) => text.as_bytes(),
        }
    }

    /// The text; `None` for what was not checked to be UTF-8. Costs nothing.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::BorrowedText(text) => Some(text),
            Self::OwnedText(text) => Some(text),
            Self::Borrowed(_) | Self::Owned(_) => None,
        }
    }

    /// The bytes; copied only when they lay in the input.
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Borrowed(data) => data.to_vec(),
            Self::Owned(data) => data,
            Self::BorrowedText(text) => text.as_bytes().to_vec(),
            Self::OwnedText(text) => text.into_bytes(),
        }
    }
}

/// The receiving half of one connection.
#[derive(Debug)]
pub struct Decoder {
    max_payload: u64,
    allow_compressed: bool,
    /// After a close frame, a violation, or when the caller had enough.
    finished: bool,
    /// `None` between messages, which is where most connections are most of the time: an idle one
    /// holds no buffer.
    partial: Option<Box<Partial>>,
    /// For so many inputs a large frame may be expected, as there was one not long ago.
    bulk: u8,
}

/// How the next bytes of a stream are best read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextRead {
    /// As many as there are.
    All,
    /// Not more than `HEAD_READ`: they are likely to begin a large frame, whose payload then need not
    /// be copied.
    Head,
    /// By `read_payload`.
    Payload,
}

impl Decoder {
    /// `max_payload` bounds a message as it comes over the wire; `None` and 0 mean no bound.
    /// `allow_compressed` says that permessage-deflate was negotiated.
    pub fn new(max_payload: Option<u64>, allow_compressed: bool) -> Self {
        let max_payload = max_payload.filter(|max| *max > 0).unwrap_or(u64::MAX);
        Self { max_payload, allow_compressed, finished: false, partial: None, bulk: 0 }
    }

    /// What to do for the next input.
    pub fn next_read(&self) -> NextRead {
        match self.partial.as_deref().and_then(|partial| partial.frame) {
            Some(frame) if frame.is_large() => NextRead::Payload,
            None if self.bulk > 0 => NextRead::Head,
            _ => NextRead::All,
        }
    }

    /// Has `read` append the next bytes of the stream to the message under way. It may fill the room
    /// that the vector has, and need not. Returns what it says, and what was read beyond the frame;
    /// that, even if it is nothing, is the next input. `None`, and nothing is read, unless
    /// `next_read` asks for it.
    pub fn read_payload<T>(
        &mut self,
        read: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> Option<(T, Vec<u8>)> {
        let Partial { frame, message, .. } = self.partial.as_deref_mut()?;
        let frame = frame.as_mut().filter(|frame| frame.is_large())?;
        let message = message.as_mut()?;
        message.reserve(frame.remaining, 1);
        let before = message.data.len();
        let outcome = read(&mut message.data);
        let end = usize::try_from(frame.remaining).map_or(usize::MAX, |rest| before + rest);
        let beyond =
            if message.data.len() > end { message.data.split_off(end) } else { Vec::new() };
        let payload = message.data.get_mut(before..).unwrap_or_default();
        frame.mask = unmask(payload, frame.mask);
        frame.remaining -= payload.len() as u64;
        Some((outcome, beyond))
    }

    /// Consumes all of `input`, unmasking in place, and calls `on` for every message that became
    /// complete, in order. When `on` breaks, and after a close frame or a violation, the rest of
    /// the input and every later input is ignored.
    pub fn feed<F>(&mut self, input: &mut [u8], mut on: F) -> Result<(), FrameError>
    where
        F: FnMut(Message<'_>) -> ControlFlow<()>,
    {
        if self.finished {
            return Ok(());
        }
        self.bulk = self.bulk.saturating_sub(1);
        let outcome = self.run(input, &mut on);
        match outcome {
            Ok(ControlFlow::Continue(())) => {
                if self.partial.as_ref().is_some_and(|partial| partial.is_idle()) {
                    self.partial = None;
                }
            }
            _ => {
                self.finished = true;
                self.partial = None;
            }
        }
        outcome.map(|_| ())
    }

    fn run<F>(&mut self, input: &mut [u8], on: &mut F) -> Result<ControlFlow<()>, FrameError>
    where
        F: FnMut(Message<'_>) -> ControlFlow<()>,
    {
        let mut rest = input;
        loop {
            // The payload of the frame under way, if there is one, comes first.
            if let Some(partial) = &mut self.partial
                && let Some(flow) = partial.take_payload(&mut rest, on)?
            {
                if flow.is_break() {
                    return Ok(flow);
                }
                continue;
            }
            if rest.is_empty() {
                return Ok(ControlFlow::Continue(()));
            }
            let Some(header) = self.take_header(&mut rest)? else {
                return Ok(ControlFlow::Continue(()));
            };
            if header.len >= BULK {
                self.bulk = BULK_INPUTS;
            }
            let len = usize::try_from(header.len).unwrap_or(usize::MAX);
            let whole = header.opcode.is_control() || (header.fin && !self.context().continuing);
            if whole && len <= rest.len() {
                let (payload, tail) = mem::take(&mut rest).split_at_mut(len);
                rest = tail;
                unmask(payload, header.mask);
                if deliver_in_place(&header, payload, on)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            } else {
                self.partial.get_or_insert_default().begin(&header);
            }
        }
    }

    /// The next header; `None` when it is not complete yet: what there is of it is kept.
    fn take_header(&mut self, rest: &mut &mut [u8]) -> Result<Option<Header>, FrameError> {
        let context = self.context();
        if let Some(partial) = self.partial.as_mut().filter(|partial| partial.head_len > 0) {
            // One byte at a time: it happens once a read at most, and each byte may be the one
            // that completes the header or shows that it is wrong.
            while let Some((byte, tail)) = mem::take(rest).split_first_mut() {
                *rest = tail;
                if let Some(header) = partial.push_head(*byte, context)? {
                    return Ok(Some(header));
                }
            }
            return Ok(None);
        }
        if let Some(header) = Header::parse(rest, context)? {
            let (_, tail) = mem::take(rest).split_at_mut(header.size);
            *rest = tail;
            return Ok(Some(header));
        }
        let partial = self.partial.get_or_insert_default();
        for byte in mem::take(rest) {
            // The bytes were just seen to be no complete header.
            partial.push_head(*byte, context)?;
        }
        Ok(None)
    }

    /// Bytes of buffers held between two inputs.
    #[cfg(test)]
    pub(super) fn reserved(&self) -> usize {
        let message = |partial: &Partial| partial.message.as_ref().map_or(0, |m| m.data.capacity());
        self.partial.as_deref().map_or(0, |partial| partial.control.capacity() + message(partial))
    }

    fn context(&self) -> Context {
        let open = self.partial.as_ref().and_then(|partial| partial.message.as_ref());
        Context {
            allow_compressed: self.allow_compressed,
            continuing: open.is_some(),
            room: self.max_payload.saturating_sub(open.map_or(0, |message| message.declared)),
        }
    }
}

/// What is kept between two reads.
#[derive(Debug, Default)]
struct Partial {
    /// A header that is not complete; empty while `frame` is set.
    head: [u8; Header::MAX_SIZE],
    head_len: usize,
    frame: Option<Frame>,
    /// The payload of a split control frame: 125 bytes at most.
    control: Vec<u8>,
    message: Option<Assembly>,
}

/// A frame whose header is known and whose payload is not complete.
#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: OpCode,
    fin: bool,
    /// Rotated to where the payload goes on.
    mask: [u8; 4],
    remaining: u64,
}

impl Frame {
    /// True when so much is still to come that reading it to its place is worth a read of its own.
    fn is_large(&self) -> bool {
        !self.opcode.is_control() && self.remaining >= DIRECT_FROM
    }
}

/// A data message that is being put together.
#[derive(Debug)]
struct Assembly {
    text: bool,
    compressed: bool,
    data: Vec<u8>,
    /// The lengths that its frame headers declared, summed up.
    declared: u64,
    fragments: u32,
}

impl Partial {
    fn is_idle(&self) -> bool {
        self.head_len == 0 && self.frame.is_none() && self.message.is_none()
    }

    fn push_head(&mut self, byte: u8, context: Context) -> Result<Option<Header>, FrameError> {
        // The slot exists: a header of `MAX_SIZE` bytes is always complete.
        if let Some(slot) = self.head.get_mut(self.head_len) {
            *slot = byte;
            self.head_len += 1;
        }
        let head = self.head.get(..self.head_len).unwrap_or_default();
        let header = Header::parse(head, context)?;
        if header.is_some() {
            self.head_len = 0;
        }
        Ok(header)
    }

    fn begin(&mut self, header: &Header) {
        if !header.opcode.is_control() {
            let message = self.message.get_or_insert_with(|| Assembly {
                text: header.opcode == OpCode::Text,
                compressed: header.compressed,
                data: Vec::new(),
                declared: 0,
                fragments: 0,
            });
            message.declared = message.declared.saturating_add(header.len);
            message.fragments += 1;
        }
        self.frame = Some(Frame {
            opcode: header.opcode,
            fin: header.fin,
            mask: header.mask,
            remaining: header.len,
        });
    }

    /// Takes payload of the frame under way and delivers what that completes. `None` when no frame
    /// is under way or the input is used up.
    fn take_payload<F>(
        &mut self,
        rest: &mut &mut [u8],
        on: &mut F,
    ) -> Result<Option<ControlFlow<()>>, FrameError>
    where
        F: FnMut(Message<'_>) -> ControlFlow<()>,
    {
        let Some(mut frame) = self.frame else { return Ok(None) };
        if rest.is_empty() && frame.remaining > 0 {
            return Ok(None);
        }
        let len = usize::try_from(frame.remaining).unwrap_or(usize::MAX).min(rest.len());
        let (chunk, tail) = mem::take(rest).split_at_mut(len);
        *rest = tail;
        frame.mask = unmask(chunk, frame.mask);
        match &mut self.message {
            Some(message) if !frame.opcode.is_control() => message.push(chunk, frame.remaining),
            _ => self.control.extend_from_slice(chunk),
        }
        frame.remaining -= len as u64;
        if frame.remaining > 0 {
            self.frame = Some(frame);
            return Ok(None);
        }
        self.frame = None;
        if frame.opcode.is_control() {
            let payload = mem::take(&mut self.control);
            return deliver_control(frame.opcode, &payload, on).map(Some);
        }
        if self.message.as_ref().is_some_and(|message| message.fragments > MAX_FRAGMENTS) {
            return Err(FrameError::TooManyFragments);
        }
        match self.message.take_if(|_| frame.fin) {
            Some(message) => message.into_message().map(|message| Some(on(message))),
            None => Ok(Some(ControlFlow::Continue(()))),
        }
    }
}

impl Assembly {
    /// Appends payload of a frame of which `remaining` bytes, `chunk` included, are still to come.
    fn push(&mut self, chunk: &[u8], remaining: u64) {
        self.reserve(remaining, chunk.len());
        self.data.extend_from_slice(chunk);
    }

    /// Makes room for `least` bytes at least, if there is none.
    fn reserve(&mut self, remaining: u64, least: usize) {
        let len = self.data.len();
        if self.data.capacity() - len < least {
            // Room for what the frame declares, but never more than is already there or a fixed
            // amount: a peer has to send what it wants to be stored. Of a message in fragments half
            // as much as is there may be more, so that the copies of growing stay linear in its size.
            let declared = usize::try_from(remaining).unwrap_or(usize::MAX);
            let ahead = len.max(RESERVE_AHEAD).max(least);
            let more = if self.fragments > 1 { len / 2 } else { 0 };
            self.data.reserve_exact(declared.min(ahead).max(least).max(more) + BEYOND);
        }
    }

    fn into_message(self) -> Result<Message<'static>, FrameError> {
        let Self { text, compressed, data, .. } = self;
        if !text {
            return Ok(Message::Binary { data: Payload::Owned(data), compressed });
        }
        let data = if compressed {
            Payload::Owned(data)
        } else {
            Payload::OwnedText(String::from_utf8(data).map_err(|_| FrameError::InvalidUtf8)?)
        };
        Ok(Message::Text { data, compressed })
    }
}

#[inline]
fn deliver_in_place<F>(
    header: &Header,
    payload: &[u8],
    on: &mut F,
) -> Result<ControlFlow<()>, FrameError>
where
    F: FnMut(Message<'_>) -> ControlFlow<()>,
{
    let compressed = header.compressed;
    match header.opcode {
        OpCode::Text => {
            let data = if compressed {
                Payload::Borrowed(payload)
            } else {
                Payload::BorrowedText(utf8(payload)?)
            };
            Ok(on(Message::Text { data, compressed }))
        }
        OpCode::Binary => Ok(on(Message::Binary { data: Payload::Borrowed(payload), compressed })),
        _ => deliver_control(header.opcode, payload, on),
    }
}

fn deliver_control<F>(
    opcode: OpCode,
    payload: &[u8],
    on: &mut F,
) -> Result<ControlFlow<()>, FrameError>
where
    F: FnMut(Message<'_>) -> ControlFlow<()>,
{
    match opcode {
        OpCode::Ping => Ok(on(Message::Ping(payload))),
        OpCode::Pong => Ok(on(Message::Pong(payload))),
        _ => {
            let (code, reason) = match payload.split_first_chunk::<2>() {
                Some((code, reason)) => {
                    let code = u16::from_be_bytes(*code);
                    if !is_valid_close_code(code) {
                        return Err(FrameError::InvalidStatusCode(code));
                    }
                    (Some(code), utf8(reason)?)
                }
                None => (None, ""),
            };
            // Whatever `on` says: RFC 6455, 5.5.1, nothing follows a close frame.
            let _ = on(Message::Close { code, reason });
            Ok(ControlFlow::Break(()))
        }
    }
}

/// RFC 6455, 7.4 and the IANA registry: codes that may be on the wire.
fn is_valid_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

fn utf8(bytes: &[u8]) -> Result<&str, FrameError> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| FrameError::InvalidUtf8)
}

/// The most that is reserved on the word of a header alone.
const RESERVE_AHEAD: usize = 64 * 1024;
/// Room beyond what a frame declares: a read that has some left shows that the stream is empty.
const BEYOND: usize = 64;
/// Bytes of a read that is to find the header of a large frame, and little of its payload.
pub const HEAD_READ: usize = 1024;
/// From so many bytes on, payload is read to its place.
const DIRECT_FROM: u64 = 4096;
/// A frame of so many bytes announces more of its kind,
const BULK: u64 = 16 * 1024;
/// within so many inputs.
const BULK_INPUTS: u8 = 8;
