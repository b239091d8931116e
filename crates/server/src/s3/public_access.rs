//! The switches that keep buckets from the public: of one bucket, and of an account (S3 Control).
//!
//! S3 Control is signed for as S3 and tells itself apart by its host, `ACCOUNT.s3-control.REGION…`. Here it is
//! known by its path and the header that every call of it has.

use std::sync::Arc;

use axum::body::Body;
use http::{Method, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use opentrail_event::AccountId;
use opentrail_vault::PublicAccessBlock;
use quick_xml::{Reader, events::Event};
use s3s::dto;

use super::{
    access, catalog,
    refusal::Refusal,
    scene::Scene,
    table::{Answered, plain},
};

/// Under this path lie the operations of S3 Control.
const CONTROL: &str = "/v20180820/";
/// The operations on an account's public access block.
const ACCOUNT_BLOCK: &str = "/v20180820/configuration/publicAccessBlock";
/// The header that names the account.
const ACCOUNT: &str = "x-amz-account-id";
/// The largest document: four switches.
const MAX_DOCUMENT_BYTES: usize = 64 * 1024;

pub(super) async fn get(
    scene: Arc<Scene>,
    input: dto::GetPublicAccessBlockInput,
) -> Answered<dto::GetPublicAccessBlockOutput> {
    let block = scene.vault().public_access_block(&input.bucket)?;
    let configuration = dto::PublicAccessBlockConfiguration {
        block_public_acls: Some(block.block_public_acls),
        block_public_policy: Some(block.block_public_policy),
        ignore_public_acls: Some(block.ignore_public_acls),
        restrict_public_buckets: Some(block.restrict_public_buckets),
    };
    plain(dto::GetPublicAccessBlockOutput { public_access_block_configuration: Some(configuration) })
}

pub(super) async fn put(
    scene: Arc<Scene>,
    input: dto::PutPublicAccessBlockInput,
) -> Answered<dto::PutPublicAccessBlockOutput> {
    let asked = input.public_access_block_configuration;
    let block = PublicAccessBlock {
        block_public_acls: asked.block_public_acls.unwrap_or(false),
        ignore_public_acls: asked.ignore_public_acls.unwrap_or(false),
        block_public_policy: asked.block_public_policy.unwrap_or(false),
        restrict_public_buckets: asked.restrict_public_buckets.unwrap_or(false),
    };
    scene.change(|vault, tx| Ok(vault.put_public_access_block(tx, &input.bucket, Some(block))?)).await?;
    plain(dto::PutPublicAccessBlockOutput::default())
}

pub(super) async fn delete(
    scene: Arc<Scene>,
    input: dto::DeletePublicAccessBlockInput,
) -> Answered<dto::DeletePublicAccessBlockOutput> {
    scene.change(|vault, tx| Ok(vault.put_public_access_block(tx, &input.bucket, None)?)).await?;
    plain(dto::DeletePublicAccessBlockOutput::default())
}

/// Whether a request is one of S3 Control, which has no bucket in its host.
pub(super) fn is_of_control(path: &str, headers: &http::HeaderMap) -> bool {
    path.starts_with(CONTROL) && headers.contains_key(ACCOUNT)
}

/// Performs a call of S3 Control.
pub(super) async fn perform(
    scene: &Arc<Scene>,
    request: s3s::HttpRequest,
) -> Result<Response<Body>, Refusal> {
    let name = match (request.uri().path(), request.method()) {
        (ACCOUNT_BLOCK, &Method::GET) => Some("GetAccountPublicAccessBlock"),
        (ACCOUNT_BLOCK, &Method::PUT) => Some("PutAccountPublicAccessBlock"),
        (ACCOUNT_BLOCK, &Method::DELETE) => Some("DeleteAccountPublicAccessBlock"),
        _ => None,
    };
    let operation = name.and_then(catalog::named).unwrap_or(&catalog::UNKNOWN);
    scene.is_about(operation, None, None);
    scene.intake.expect_document(true);
    access::admit(scene, operation)?;
    let account = own_account(scene)?;
    match operation.name {
        "GetAccountPublicAccessBlock" => answer_block(scene, &account),
        "PutAccountPublicAccessBlock" => {
            let document = document(scene, request).await?;
            let block = read_block(&document).ok_or_else(|| {
                let message =
                    "The XML you provided was not well-formed or did not validate against our published schema";
                Refusal::of("MalformedXML", message)
            })?;
            set(scene, &account, Some(block)).await?;
            Ok(Response::new(Body::empty()))
        }
        "DeleteAccountPublicAccessBlock" => {
            set(scene, &account, None).await?;
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok(response)
        }
        _ => Err(Refusal::not_built("this operation of S3 Control")),
    }
}

/// An account's settings are its own business.
fn own_account(scene: &Scene) -> Result<AccountId, Refusal> {
    let named = scene.header(ACCOUNT).unwrap_or_default();
    let named: AccountId = named.parse().map_err(|_| Refusal::of("InvalidRequest", "Invalid account id."))?;
    if scene.account() == Some(named) { Ok(named) } else { Err(Refusal::access_denied()) }
}

async fn document(scene: &Scene, request: s3s::HttpRequest) -> Result<Vec<u8>, Refusal> {
    match Limited::new(request.into_body(), MAX_DOCUMENT_BYTES).collect().await {
        Ok(whole) => Ok(whole.to_bytes().to_vec()),
        Err(_) => Err(scene.intake.fault().map_or_else(
            || Refusal::of("InvalidRequest", "The request's body can't be read."),
            Refusal::from,
        )),
    }
}

async fn set(scene: &Scene, account: &AccountId, block: Option<PublicAccessBlock>) -> Result<(), Refusal> {
    scene
        .change(|vault, tx| {
            vault.put_account_public_access_block(tx, account, block);
            Ok(())
        })
        .await
}

fn answer_block(scene: &Scene, account: &AccountId) -> Result<Response<Body>, Refusal> {
    let block = scene.vault().account_public_access_block(account)?.ok_or_else(|| {
        let message = "The public access block configuration was not found";
        Refusal::of("NoSuchPublicAccessBlockConfiguration", message)
    })?;
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <PublicAccessBlockConfiguration xmlns=\"http://awss3control.amazonaws.com/doc/2018-08-20/\">\
         <BlockPublicAcls>{}</BlockPublicAcls><IgnorePublicAcls>{}</IgnorePublicAcls>\
         <BlockPublicPolicy>{}</BlockPublicPolicy><RestrictPublicBuckets>{}</RestrictPublicBuckets>\
         </PublicAccessBlockConfiguration>",
        block.block_public_acls,
        block.ignore_public_acls,
        block.block_public_policy,
        block.restrict_public_buckets,
    );
    let mut response = Response::new(Body::from(document));
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/xml"));
    Ok(response)
}

/// Reads the four switches; what is not named is off. `None` where the document is something else.
fn read_block(document: &[u8]) -> Option<PublicAccessBlock> {
    let mut reader = Reader::from_str(std::str::from_utf8(document).ok()?);
    let (mut block, mut open, mut has_root) = (PublicAccessBlock::NONE, Vec::<String>::new(), false);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                let name = std::str::from_utf8(start.local_name().as_ref()).ok()?.to_owned();
                let is_known = match open.len() {
                    0 => !has_root && name == "PublicAccessBlockConfiguration",
                    1 => switch(&mut block, &name).is_some(),
                    _ => false,
                };
                if !is_known {
                    return None;
                }
                has_root = true;
                open.push(name);
            }
            Event::Empty(start) => {
                let is_root = start.local_name().as_ref() == b"PublicAccessBlockConfiguration";
                if !is_root || !open.is_empty() || has_root {
                    return None;
                }
                has_root = true;
            }
            Event::Text(text) => {
                let text = text.decode().ok()?;
                match (open.len(), text.trim()) {
                    (_, "") => {}
                    (2, "true") => *switch(&mut block, open.last()?)? = true,
                    (2, "false") => *switch(&mut block, open.last()?)? = false,
                    _ => return None,
                }
            }
            Event::End(_) => drop(open.pop()?),
            Event::Eof => return (has_root && open.is_empty()).then_some(block),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::CData(_) | Event::DocType(_) | Event::GeneralRef(_) => return None,
        }
    }
}

fn switch<'b>(block: &'b mut PublicAccessBlock, name: &str) -> Option<&'b mut bool> {
    match name {
        "BlockPublicAcls" => Some(&mut block.block_public_acls),
        "IgnorePublicAcls" => Some(&mut block.ignore_public_acls),
        "BlockPublicPolicy" => Some(&mut block.block_public_policy),
        "RestrictPublicBuckets" => Some(&mut block.restrict_public_buckets),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use opentrail_vault::PublicAccessBlock;

    use super::read_block;

    #[test]
    fn four_switches_and_nothing_else() {
        let read = |inner: &str| {
            let root = "PublicAccessBlockConfiguration";
            read_block(
                format!("<?xml version=\"1.0\"?><{root} xmlns=\"http://x/\">{inner}</{root}>").as_bytes(),
            )
        };
        assert_eq!(read(""), Some(PublicAccessBlock::NONE));
        let two = read(
            "<BlockPublicAcls>true</BlockPublicAcls>\n<RestrictPublicBuckets>true</RestrictPublicBuckets>",
        );
        let expected = PublicAccessBlock {
            block_public_acls: true,
            restrict_public_buckets: true,
            ..PublicAccessBlock::NONE
        };
        assert_eq!(two, Some(expected));
        for bad in [
            "<BlockPublicAcls>yes</BlockPublicAcls>",
            "<Other>true</Other>",
            "true",
            "<BlockPublicAcls><BlockPublicAcls>true</BlockPublicAcls></BlockPublicAcls>",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(read_block(b""), None);
        assert_eq!(read_block(b"<a/>"), None);
        assert_eq!(read_block(b"<PublicAccessBlockConfiguration>"), None);
    }
}
