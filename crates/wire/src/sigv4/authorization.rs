//! The `Authorization` header.

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use super::{AuthorizationFault, SignatureError, credential};

/// The only algorithm taken.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The header's parts as text.
#[derive(Debug)]
pub(super) struct Authorization<'a> {
    pub(super) credential: credential::Credential<'a>,
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: &'a str,
}

/// The header's text, if there is one.
pub(super) fn find(headers: &HeaderMap) -> Result<Option<&str>, SignatureError> {
    let malformed = SignatureError::MalformedAuthorization(AuthorizationFault::NotOneLine);
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let first: Option<&HeaderValue> = values.next();
    if values.next().is_some() {
        return Err(malformed);
    }
    first.map(|value| value.to_str().map_err(|_| malformed)).transpose()
}

/// Reads the header's grammar. `dated` says whether the request carries a date, so that one answer can name all that
/// is absent, as AWS does.
pub(super) fn parse(text: &str, dated: bool) -> Result<Authorization<'_>, SignatureError> {
    let text = text.trim();
    let (scheme, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    if scheme != ALGORITHM {
        let by_aws = scheme.starts_with("AWS");
        return Err(if by_aws {
            SignatureError::UnsupportedAlgorithm
        } else {
            SignatureError::UnsupportedAuthorization
        });
    }
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in rest.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) =
            part.split_once('=').ok_or_else(|| fault(AuthorizationFault::NotKeyValue(part.to_owned())))?;
        let (slot, name) = match name.trim() {
            "Credential" => (&mut credential, "Credential"),
            "SignedHeaders" => (&mut signed_headers, "SignedHeaders"),
            "Signature" => (&mut signature, "Signature"),
            _ => continue,
        };
        if slot.replace(value.trim()).is_some() {
            return Err(fault(AuthorizationFault::Repeated(name)));
        }
    }
    let (Some(credential), Some(signed_headers), Some(signature), true) =
        (credential, signed_headers, signature, dated)
    else {
        let missing = [
            ("Credential", credential.is_some()),
            ("Signature", signature.is_some()),
            ("SignedHeaders", signed_headers.is_some()),
            ("X-Amz-Date", dated),
        ];
        let missing = missing.into_iter().filter(|(_, given)| !given).map(|(name, _)| name).collect();
        return Err(SignatureError::IncompleteSignature { missing });
    };
    Ok(Authorization {
        credential: credential::Credential::parse(credential)
            .ok_or_else(|| fault(AuthorizationFault::Credential))?,
        signed_headers: credential::signed_headers(signed_headers)
            .ok_or_else(|| fault(AuthorizationFault::SignedHeaders))?,
        signature,
    })
}

fn fault(fault: AuthorizationFault) -> SignatureError {
    SignatureError::MalformedAuthorization(fault)
}
