//! Functions of varbinary: encodings and hashes. Where Trino wants `to_utf8(…)` around a varchar, a varchar is taken too.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use datafusion::common::Result;
use md5::{Digest as _, Md5};

use super::call::{Call, Function, failed, function, returns};
use super::column::{Binaries, TextBuilder, Texts};

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    function!("to_utf8", (Text) -> returns::binary => |call| hashed(call, <[u8]>::to_vec)),
    function!("from_utf8", (Binary) -> returns::text => |call| encoded(call, |bytes| String::from_utf8_lossy(bytes).into_owned())),
    function!("to_hex",
        (Binary) -> returns::text => |call| encoded(call, |bytes| hex::encode_upper(bytes)),
        (Text) -> returns::text => |call| encoded(call, |bytes| hex::encode_upper(bytes))),
    function!("from_hex", (Text) -> returns::binary => |call| decoded(call, |text| hex::decode(text).ok())),
    function!("to_base64",
        (Binary) -> returns::text => |call| encoded(call, |bytes| STANDARD.encode(bytes)),
        (Text) -> returns::text => |call| encoded(call, |bytes| STANDARD.encode(bytes))),
    function!("from_base64", (Text) -> returns::binary => |call| decoded(call, |text| STANDARD.decode(text).ok())),
    function!("to_base64url",
        (Binary) -> returns::text => |call| encoded(call, |bytes| URL_SAFE.encode(bytes)),
        (Text) -> returns::text => |call| encoded(call, |bytes| URL_SAFE.encode(bytes))),
    function!("from_base64url", (Text) -> returns::binary => |call| decoded(call, |text| URL_SAFE.decode(text).ok())),
    function!("md5",
        (Binary) -> returns::binary => |call| hashed(call, |bytes| Md5::digest(bytes).to_vec()),
        (Text) -> returns::binary => |call| hashed(call, |bytes| Md5::digest(bytes).to_vec())),
    function!("sha1",
        (Binary) -> returns::binary => |call| sha(call, &digest::SHA1_FOR_LEGACY_USE_ONLY),
        (Text) -> returns::binary => |call| sha(call, &digest::SHA1_FOR_LEGACY_USE_ONLY)),
    function!("sha256",
        (Binary) -> returns::binary => |call| sha(call, &digest::SHA256),
        (Text) -> returns::binary => |call| sha(call, &digest::SHA256)),
    function!("sha512",
        (Binary) -> returns::binary => |call| sha(call, &digest::SHA512),
        (Text) -> returns::binary => |call| sha(call, &digest::SHA512)),
    function!("hmac_sha256", (Binary, Binary) -> returns::binary => hmac_sha256),
];

/// The bytes of a varbinary or of a varchar.
enum Bytes<'a> {
    Binary(Binaries<'a>),
    Text(Texts<'a>),
}

impl<'a> Bytes<'a> {
    fn of(call: &'a Call) -> Result<Self> {
        match call.texts(0) {
            Ok(texts) => Ok(Self::Text(texts)),
            Err(_) => call.binaries(0).map(Self::Binary),
        }
    }

    fn get(&self, row: usize) -> Option<&'a [u8]> {
        match self {
            Self::Binary(bytes) => bytes.get(row),
            Self::Text(texts) => texts.get(row).map(str::as_bytes),
        }
    }
}

fn encoded(call: &Call, encode: impl Fn(&[u8]) -> String) -> Result<ArrayRef> {
    let bytes = Bytes::of(call)?;
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        result.push(bytes.get(row).map(&encode).as_deref())?;
    }
    Ok(result.finish())
}

fn hashed(call: &Call, hash: impl Fn(&[u8]) -> Vec<u8>) -> Result<ArrayRef> {
    let bytes = Bytes::of(call)?;
    let hashes: BinaryArray = (0..call.rows).map(|row| bytes.get(row).map(&hash)).collect();
    Ok(Arc::new(hashes))
}

fn sha(call: &Call, algorithm: &'static digest::Algorithm) -> Result<ArrayRef> {
    hashed(call, |bytes| digest::digest(algorithm, bytes).as_ref().to_vec())
}

fn decoded(call: &Call, decode: impl Fn(&str) -> Option<Vec<u8>>) -> Result<ArrayRef> {
    let texts = call.texts(0)?;
    let bytes = (0..call.rows)
        .map(|row| {
            let Some(text) = texts.get(row) else { return Ok(None) };
            decode(text).map(Some).ok_or_else(|| {
                failed(format!("'{}' cannot be decoded", text.chars().take(100).collect::<String>()))
            })
        })
        .collect::<Result<BinaryArray>>()?;
    Ok(Arc::new(bytes))
}

fn hmac_sha256(call: &Call) -> Result<ArrayRef> {
    let (values, keys) = (call.binaries(0)?, call.binaries(1)?);
    let tags: BinaryArray = (0..call.rows)
        .map(|row| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, keys.get(row)?);
            Some(hmac::sign(&key, values.get(row)?).as_ref().to_vec())
        })
        .collect();
    Ok(Arc::new(tags))
}
