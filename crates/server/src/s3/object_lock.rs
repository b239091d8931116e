//! Object Lock: of buckets, and of single versions.

use std::{sync::Arc, time::SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};
use opentrail_policy::Context;
use opentrail_vault::{
    DefaultRetention, LockConfiguration, LockMode, LockPeriod, ObjectLock, ObjectMeta, Retention,
    RetentionChange, VaultError,
};
use s3s::dto;

use super::{
    refusal::Refusal,
    scene::Scene,
    table::{Answered, plain},
};

/// Headers that say what holds a new object.
const MODE: &str = "x-amz-object-lock-mode";
const UNTIL: &str = "x-amz-object-lock-retain-until-date";
const LEGAL_HOLD: &str = "x-amz-object-lock-legal-hold";
const BYPASS: &str = "x-amz-bypass-governance-retention";

const SECONDS_PER_DAY: i64 = 86_400;

fn invalid(message: &str) -> Refusal {
    Refusal::of("InvalidArgument", message)
}

fn malformed() -> Refusal {
    Refusal::of(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

/// What the headers of a call say about holding the object that it makes.
pub(super) fn in_headers(scene: &Scene) -> Result<ObjectLock, Refusal> {
    let retention = match (scene.header(MODE), scene.header(UNTIL)) {
        (None, None) => None,
        (Some(mode), Some(until)) => {
            let mode = LockMode::from_name(mode).ok_or_else(|| invalid("Unknown wormMode directive."))?;
            let until = DateTime::parse_from_rfc3339(until)
                .map_err(|_| invalid("The retain until date must be provided in ISO 8601 format"))?;
            let until = until.to_utc();
            if until <= scene.arrival.at {
                return Err(VaultError::RetentionNotInFuture.into());
            }
            Some(Retention { mode, until })
        }
        _ => {
            let message =
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
            return Err(invalid(message));
        }
    };
    let legal_hold = match scene.header(LEGAL_HOLD) {
        None => None,
        Some("ON") => Some(true),
        Some("OFF") => Some(false),
        Some(_) => return Err(invalid("Legal Hold must be either of 'ON' or 'OFF'")),
    };
    Ok(ObjectLock { retention, legal_hold })
}

/// As [`in_headers`], for a call that brings the bytes: S3 takes no bytes to be locked without a digest, so that
/// nothing wrong is kept for years.
pub(super) fn of_upload(scene: &Scene) -> Result<ObjectLock, Refusal> {
    let lock = in_headers(scene)?;
    let by_default =
        scene.bucket()?.object_lock.is_some_and(|configuration| configuration.default_retention.is_some());
    let is_put = scene.subject().operation.name == "PutObject";
    if is_put && (!lock.is_none() || by_default) && !has_digest(scene) {
        let message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with \
                       Object Lock parameters";
        return Err(Refusal::of("InvalidRequest", message));
    }
    Ok(lock)
}

/// Whether the call says what its body's digest is.
pub(super) fn has_digest(scene: &Scene) -> bool {
    scene.header("x-amz-trailer").is_some()
        || scene.headers.keys().any(|name| {
            name == "content-md5"
                || (name.as_str().starts_with("x-amz-checksum-") && name != "x-amz-checksum-algorithm")
        })
}

/// Refuses a document that comes without a digest, where S3 asks for one.
pub(super) fn demand_digest(scene: &Scene) -> Result<(), Refusal> {
    if has_digest(scene) {
        return Ok(());
    }
    let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
    Err(Refusal::of("InvalidRequest", message))
}

/// The permissions that a new object's locks need besides `s3:PutObject`.
pub(super) fn may_lock(scene: &Scene) -> Result<(), Refusal> {
    if scene.header(MODE).is_some() || scene.header(UNTIL).is_some() {
        scene.may("s3:PutObjectRetention")?;
    }
    if scene.header(LEGAL_HOLD).is_some() {
        scene.may("s3:PutObjectLegalHold")?;
    }
    Ok(())
}

/// Sets the condition keys of the locks that a call's headers ask for; what can't be read is refused by the
/// operation itself.
pub(super) fn set_keys_in_headers(context: &mut Context, scene: &Scene) {
    if let Ok(lock) = in_headers(scene) {
        set_keys(context, &lock, scene.arrival.at);
    }
}

fn set_keys(context: &mut Context, lock: &ObjectLock, now: DateTime<Utc>) {
    if let Some(Retention { mode, until }) = lock.retention {
        // Days that have begun count, so that "at least 30" is met by 30 days from now.
        let days = (until - now).num_seconds().saturating_add(SECONDS_PER_DAY - 1) / SECONDS_PER_DAY;
        context.set("s3:object-lock-mode", mode.name());
        context.set("s3:object-lock-retain-until-date", until.to_rfc3339_opts(SecondsFormat::Millis, true));
        context.set("s3:object-lock-remaining-retention-days", days.to_string());
    }
    if let Some(held) = lock.legal_hold {
        context.set("s3:object-lock-legal-hold", on_or_off(held));
    }
}

fn on_or_off(held: bool) -> &'static str {
    if held { "ON" } else { "OFF" }
}

/// Whether the call says that governance does not hold it back; then it must be allowed to say so.
pub(super) fn bypass(scene: &Scene, key: &str, version_id: Option<&str>) -> Result<bool, Refusal> {
    let asks = scene.header(BYPASS).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if asks {
        scene.may_with_key("s3:BypassGovernanceRetention", key, version_id)?;
    }
    Ok(asks)
}

/// A date as S3's XML and headers have it.
fn date(at: DateTime<Utc>) -> dto::Timestamp {
    SystemTime::from(at).into()
}

/// What an answer may tell of an object's locks: the caller needs a permission for each.
pub(super) struct Told {
    pub(super) mode: Option<dto::ObjectLockMode>,
    pub(super) until: Option<dto::Timestamp>,
    pub(super) legal_hold: Option<dto::ObjectLockLegalHoldStatus>,
}

/// What the answer to GetObject or HeadObject tells of the object's locks.
pub(super) fn told(scene: &Scene, meta: &ObjectMeta) -> Told {
    let ObjectLock { retention, legal_hold } = *meta.lock();
    let retention = retention.filter(|_| scene.may("s3:GetObjectRetention").is_ok());
    let legal_hold = legal_hold.filter(|_| scene.may("s3:GetObjectLegalHold").is_ok());
    Told {
        mode: retention.map(|retention| dto::ObjectLockMode::from_static(retention.mode.name())),
        until: retention.map(|retention| date(retention.until)),
        legal_hold: legal_hold.map(|held| dto::ObjectLockLegalHoldStatus::from_static(on_or_off(held))),
    }
}

pub(super) async fn get_configuration(
    scene: Arc<Scene>,
    input: dto::GetObjectLockConfigurationInput,
) -> Answered<dto::GetObjectLockConfigurationOutput> {
    let configuration = scene.vault().lock_configuration(&input.bucket)?;
    let rule = configuration.default_retention.map(|default| {
        let (days, years) = match default.period {
            LockPeriod::Days(days) => (i32::try_from(days).ok(), None),
            LockPeriod::Years(years) => (None, i32::try_from(years).ok()),
        };
        let mode = Some(dto::ObjectLockRetentionMode::from_static(default.mode.name()));
        dto::ObjectLockRule { default_retention: Some(dto::DefaultRetention { days, mode, years }) }
    });
    let enabled = Some(dto::ObjectLockEnabled::from_static(dto::ObjectLockEnabled::ENABLED));
    let configuration = dto::ObjectLockConfiguration { object_lock_enabled: enabled, rule };
    plain(dto::GetObjectLockConfigurationOutput { object_lock_configuration: Some(configuration) })
}

pub(super) async fn put_configuration(
    scene: Arc<Scene>,
    input: dto::PutObjectLockConfigurationInput,
) -> Answered<dto::PutObjectLockConfigurationOutput> {
    demand_digest(&scene)?;
    let asked = input.object_lock_configuration.ok_or_else(malformed)?;
    let enables = asked.object_lock_enabled.as_ref().map(dto::ObjectLockEnabled::as_str);
    if enables != Some(dto::ObjectLockEnabled::ENABLED) {
        return Err(malformed());
    }
    let default_retention = asked.rule.map(default_of).transpose()?;
    let configuration = LockConfiguration { default_retention };
    scene.change(|vault, tx| Ok(vault.put_lock_configuration(tx, &input.bucket, configuration)?)).await?;
    plain(dto::PutObjectLockConfigurationOutput::default())
}

fn default_of(rule: dto::ObjectLockRule) -> Result<DefaultRetention, Refusal> {
    let default = rule.default_retention.ok_or_else(malformed)?;
    let mode = default.mode.as_ref().and_then(|mode| LockMode::from_name(mode.as_str()));
    let mode = mode.ok_or_else(malformed)?;
    // A negative count is no period either; the vault refuses 0.
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    let period = match (default.days, default.years) {
        (Some(days), None) => LockPeriod::Days(count(days)),
        (None, Some(years)) => LockPeriod::Years(count(years)),
        _ => return Err(malformed()),
    };
    Ok(DefaultRetention { mode, period })
}

/// S3's answer where nothing was ever said about holding a version.
fn no_lock() -> Refusal {
    Refusal::of(
        "NoSuchObjectLockConfiguration",
        "The specified object does not have a ObjectLock configuration",
    )
}

pub(super) async fn get_retention(
    scene: Arc<Scene>,
    input: dto::GetObjectRetentionInput,
) -> Answered<dto::GetObjectRetentionOutput> {
    let lock = scene.vault().object_lock(&input.bucket, &input.key, input.version_id.as_deref());
    let lock = lock.map_err(|error| scene.not_there(error))?;
    let Retention { mode, until } = lock.retention.ok_or_else(no_lock)?;
    let retention = dto::ObjectLockRetention {
        mode: Some(dto::ObjectLockRetentionMode::from_static(mode.name())),
        retain_until_date: Some(date(until)),
    };
    plain(dto::GetObjectRetentionOutput { retention: Some(retention) })
}

pub(super) async fn put_retention(
    scene: Arc<Scene>,
    input: dto::PutObjectRetentionInput,
) -> Answered<dto::PutObjectRetentionOutput> {
    let asked = input.retention.as_ref().ok_or_else(malformed);
    let retention = asked.and_then(retention_of);
    let wanted = ObjectLock { retention: retention.as_ref().ok().copied().flatten(), legal_hold: None };
    may_hold(&scene, "s3:PutObjectRetention", &wanted)?;
    demand_digest(&scene)?;
    let version_id = input.version_id.as_deref();
    let change = RetentionChange {
        bucket: &input.bucket,
        key: &input.key,
        version_id,
        retention: retention?,
        bypass_governance: bypass(&scene, &input.key, version_id)?,
    };
    let put = scene.vault().put_retention(change, scene.arrival.at, |_| scene.events(None)).await;
    put.map_err(|error| scene.not_there(error))?;
    plain(dto::PutObjectRetentionOutput::default())
}

/// A retention as XML has it; an empty one takes away what there is.
fn retention_of(asked: &dto::ObjectLockRetention) -> Result<Option<Retention>, Refusal> {
    match (&asked.mode, &asked.retain_until_date) {
        (None, None) => Ok(None),
        (Some(mode), Some(until)) => {
            let mode = LockMode::from_name(mode.as_str()).ok_or_else(malformed)?;
            let mut text = Vec::new();
            until.format(dto::TimestampFormat::DateTime, &mut text).map_err(|_| malformed())?;
            let text = std::str::from_utf8(&text).map_err(|_| malformed())?;
            let until = DateTime::parse_from_rfc3339(text).map_err(|_| malformed())?;
            Ok(Some(Retention { mode, until: until.to_utc() }))
        }
        _ => Err(malformed()),
    }
}

/// Whether the caller may hold the call's object so.
fn may_hold(scene: &Scene, action: &str, wanted: &ObjectLock) -> Result<(), Refusal> {
    scene.may_given(action, |context| set_keys(context, wanted, scene.arrival.at))
}

pub(super) async fn get_legal_hold(
    scene: Arc<Scene>,
    input: dto::GetObjectLegalHoldInput,
) -> Answered<dto::GetObjectLegalHoldOutput> {
    let lock = scene.vault().object_lock(&input.bucket, &input.key, input.version_id.as_deref());
    let held = lock.map_err(|error| scene.not_there(error))?.legal_hold.ok_or_else(no_lock)?;
    let status = Some(dto::ObjectLockLegalHoldStatus::from_static(on_or_off(held)));
    plain(dto::GetObjectLegalHoldOutput { legal_hold: Some(dto::ObjectLockLegalHold { status }) })
}

pub(super) async fn put_legal_hold(
    scene: Arc<Scene>,
    input: dto::PutObjectLegalHoldInput,
) -> Answered<dto::PutObjectLegalHoldOutput> {
    let status = input.legal_hold.as_ref().and_then(|hold| hold.status.as_ref());
    let held = match status.map(dto::ObjectLockLegalHoldStatus::as_str) {
        Some("ON") => Some(true),
        Some("OFF") => Some(false),
        _ => None,
    };
    let wanted = ObjectLock { retention: None, legal_hold: held };
    may_hold(&scene, "s3:PutObjectLegalHold", &wanted)?;
    demand_digest(&scene)?;
    let held = held.ok_or_else(malformed)?;
    let (key, version_id) = (&input.key, input.version_id.as_deref());
    let put =
        scene.vault().put_legal_hold(&input.bucket, key, version_id, held, |_| scene.events(None)).await;
    put.map_err(|error| scene.not_there(error))?;
    plain(dto::PutObjectLegalHoldOutput::default())
}
