//! StartImport, StopImport.

use opentrail_event::{AccountId, RecordResource};
use opentrail_lake::{
    import::{Choice, Import, ImportStatus, Location, Source, SourceError, Started, TimeRange},
    store::StoreArn,
};
use opentrail_state::Transaction;
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    bucket::RoleBucket,
    invalid, refused,
    role::Errand,
    shape::{ImportShape, OneImport, SourceShape},
    unreadable,
};
use crate::{
    call::Call,
    cloudtrail::event_data_store::asking,
    fault::{Common, Fault},
    operation::{Described, Permission, Write},
    store::CLOUDTRAIL,
};

/// StartImport: of a new import, or of one that failed or was stopped.
pub(crate) struct StartImport;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StartImportInput {
    destinations: Option<Vec<String>>,
    import_source: Option<SourceShape>,
    start_event_time: Option<Timestamp>,
    end_event_time: Option<Timestamp>,
    import_id: Option<String>,
}

/// What is asked for.
enum Asked<'a> {
    New(opentrail_lake::import::StartImport),
    Again(&'a str),
}

impl StartImportInput {
    fn asked(&self) -> Result<Asked<'_>, Fault> {
        let has_range = self.start_event_time.is_some() || self.end_event_time.is_some();
        let destinations = self.destinations.as_deref().filter(|arns| !arns.is_empty());
        match (&self.import_id, destinations, &self.import_source) {
            (Some(id), None, None) if !has_range => Ok(Asked::Again(id)),
            (Some(_), ..) => Err(invalid(
                "To retry an import give its ImportId alone: it has its destination, source and times.",
            )),
            (None, Some([destination]), Some(source)) => {
                Ok(Asked::New(opentrail_lake::import::StartImport {
                    destination: destination.clone(),
                    source: source.clone().into(),
                    range: TimeRange {
                        start: self.start_event_time.map(|time| time.0),
                        end: self.end_event_time.map(|time| time.0),
                    },
                }))
            }
            (None, Some(_), Some(_)) => Err(invalid("Destinations must have one event data store.")),
            (None, ..) => Err(invalid("Destinations and ImportSource are required for a new import.")),
        }
    }

    fn stage(&self, call: &Call, tx: &mut Transaction) -> Result<Started, Fault> {
        let (rules, now) = (call.rooms.imports.rules(), call.arrival.at);
        match self.asked()? {
            Asked::New(ask) => rules.start(tx, call.account, &call.region, &ask, now),
            Asked::Again(id) => rules
                .retry(tx, call.account, &call.region, id, now)
                .map(|import| Started { import, forgotten: None }),
        }
        .map_err(refused)
    }

    /// The ARN of the store: that of the call, or that of the import. None where the call is none of StartImport's.
    fn destination(&self, call: &Call) -> Option<String> {
        let given = self.destinations.as_ref().and_then(|arns| arns.first());
        let of_import = || {
            let id = self.import_id.as_deref()?;
            Some(call.rooms.imports.rules().get(call.account, &call.region, id).ok()?.destination)
        };
        given.cloned().or_else(of_import)
    }

    /// Whether the caller may import into the store.
    fn permit(&self, call: &Call) -> Result<(), Fault> {
        match self.destination(call) {
            Some(arn) => asking::permitted(StartImport::NAME, &arn, call).map(drop),
            None => call.permit("cloudtrail:StartImport", "*", call.arrival.context(&call.region)),
        }
    }
}

impl Described for StartImport {
    type Input = StartImportInput;
    type Output = ImportShape;
    const NAME: &'static str = "StartImport";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &StartImportInput, call: &Call) -> Vec<RecordResource> {
        let arn = input.destination(call).and_then(|arn| StoreArn::parse(&arn).ok());
        let own = arn.filter(|arn| arn.account == call.account);
        let resource = |arn: StoreArn| {
            RecordResource::new("AWS::CloudTrail::EventDataStore", arn.to_string(), Some(arn.account))
        };
        own.map(resource).into_iter().collect()
    }
}

impl Write for StartImport {
    /// The change is staged once for its refusals alone, so that a store that takes none is told before a bucket that
    /// can't be read.
    async fn prepare(input: &StartImportInput, call: &Call) -> Result<(), Fault> {
        input.permit(call)?;
        let import = {
            let mut tx = call.rooms.state.begin().await;
            input.stage(call, &mut tx)?.import
        };
        may_pass(&import, call)?;
        check_key(&import, call)?;
        check_bucket(&import, call).await
    }

    fn act(input: StartImportInput, call: &Call, tx: &mut Transaction) -> Result<ImportShape, Fault> {
        input.permit(call)?;
        let Started { import, forgotten } = input.stage(call, tx)?;
        if let Some(id) = forgotten {
            call.rooms.imports.forget_once_gone(id);
        }
        Ok(ImportShape::new(&import, ImportStatus::Initializing, None))
    }
}

/// Whether the caller may pass the role to CloudTrail.
fn may_pass(import: &Import, call: &Call) -> Result<(), Fault> {
    let role = &import.source.role_arn;
    let account = role.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':'));
    let owner = account.filter(|(_, name)| name.starts_with("role/")).and_then(|(id, _)| id.parse().ok());
    let owner: AccountId = owner.ok_or_else(|| invalid("S3BucketAccessRoleArn is not the ARN of a role."))?;
    if owner != call.account {
        return Err(call.fault(Common::AccessDenied, "Cross-account pass role is not allowed."));
    }
    let mut context = call.arrival.context(&call.region);
    context.set("iam:PassedToService", CLOUDTRAIL);
    context.set("iam:AssociatedResourceArn", import.destination.as_str());
    call.permit("iam:PassRole", role, context)
}

/// Whether CloudTrail may use the store's key, with which it seals what it imports.
fn check_key(import: &Import, call: &Call) -> Result<(), Fault> {
    let rules = call.rooms.imports.rules();
    let store = rules.destination(call.account, &call.region, &import.destination).map_err(refused)?;
    let Some(key) = &store.kms_key else { return Ok(()) };
    call.rooms.lake_keys.usable(&store, key).map(drop).map_err(|refusal| {
        let message = format!("The KMS key {} of the event data store can't be used: {refusal}", key.arn);
        Fault::declared("InsufficientEncryptionPolicyException", message)
    })
}

/// Whether the role can read the bucket: its list, and the first file that is to be imported.
async fn check_bucket(import: &Import, call: &Call) -> Result<(), Fault> {
    let source = |message: String| Fault::declared("InvalidImportSourceException", message);
    let location = Location::parse(&import.source.location_uri).map_err(refused)?;
    let errand = Errand {
        role_arn: import.source.role_arn.clone(),
        store_arn: import.destination.clone(),
        account: import.account,
        region: import.region.clone(),
    };
    let bucket = RoleBucket::new(call.rooms.clone(), errand, location.bucket.clone());
    let failed = |error: SourceError| {
        if error.is_passing {
            call.fault(Common::Unavailable, format!("The S3 bucket can't be read: {error}"))
        } else if error.kind.starts_with("KMS.") {
            Fault::declared("InsufficientEncryptionPolicyException", error.message)
        } else {
            source(format!("The S3 bucket {} can't be read: {error}", location.bucket))
        }
    };
    let region = bucket.region().map_err(&failed)?;
    if let Some(region) = region.filter(|region| *region != import.source.region) {
        let given = &import.source.region;
        return Err(source(format!("The S3 bucket {} is in {region}, not in {given}.", location.bucket)));
    }
    let page = bucket.list(&location.prefix, None).await.map_err(&failed)?;
    let choice = Choice::new(&location, import.range);
    match page.objects.iter().find(|object| choice.takes(&object.key)) {
        Some(first) => bucket.check_object(&first.key).map(drop).map_err(&failed),
        None => Ok(()),
    }
}

/// StopImport: what was imported stays.
pub(crate) struct StopImport;

impl Described for StopImport {
    type Input = OneImport;
    type Output = ImportShape;
    const NAME: &'static str = "StopImport";
}

impl Write for StopImport {
    fn act(input: OneImport, call: &Call, tx: &mut Transaction) -> Result<ImportShape, Fault> {
        let rules = call.rooms.imports.rules();
        let import =
            rules.stop(tx, call.account, &call.region, &input.import_id, call.arrival.at).map_err(refused)?;
        let (_, statistics) = call.rooms.imports.statistics(&import).map_err(unreadable(call))?;
        Ok(ImportShape::new(&import, import.status, Some(statistics)))
    }
}
