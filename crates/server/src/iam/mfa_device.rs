//! Virtual MFA devices as such: created, looked at, deleted.

use bytes::Bytes;
use opentrail_identity::{
    MfaDevice, User,
    mfa::{self, MfaHolder, NewMfaDevice, ProvisionedMfaDevice},
    root_arn,
};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use opentrail_wire::value::{Blob, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    conditions,
    mfa::{ROOT, describe_holder, holder, holder_arn},
    mfa_qr::qr_png,
    permission,
    shape::{TagShape, tag_shapes, tags},
    subject::Named,
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Read, Write},
};

/// CreateVirtualMFADevice: the only answer that has the seed.
pub(super) struct CreateVirtualMfaDevice;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateVirtualMfaDeviceInput {
    path: Option<String>,
    #[serde(rename = "VirtualMFADeviceName")]
    name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
}

impl CreateVirtualMfaDeviceInput {
    fn arn(&self, call: &Call) -> String {
        mfa::device_arn(call.account, self.path.as_deref().unwrap_or("/"), &self.name)
    }
}

#[derive(Serialize)]
pub(super) struct CreateVirtualMfaDeviceOutput {
    #[serde(rename = "VirtualMFADevice")]
    device: SeededDeviceShape,
}

/// `VirtualMFADevice` with its seed.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SeededDeviceShape {
    serial_number: String,
    base32_string_seed: Blob,
    #[serde(rename = "QRCodePNG")]
    qr_code_png: Blob,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
}

impl SeededDeviceShape {
    fn of(made: &ProvisionedMfaDevice, call: &Call) -> Result<Self, Fault> {
        let picture = qr_png(&made.uri).map_err(|error| {
            tracing::error!(%error, "a QR code can't be drawn");
            call.fault(Common::Internal, "An internal error occurred.")
        })?;
        Ok(Self {
            serial_number: made.device.serial_number(),
            base32_string_seed: Blob(Bytes::copy_from_slice(made.base32_seed.as_bytes())),
            qr_code_png: Blob(Bytes::from(picture)),
            tags: tag_shapes(&made.device.tags),
        })
    }
}

impl Described for CreateVirtualMfaDevice {
    type Input = CreateVirtualMfaDeviceInput;
    type Output = CreateVirtualMfaDeviceOutput;
    const NAME: &'static str = "CreateVirtualMFADevice";
    const SECRETS: &'static [&'static str] = &["Base32StringSeed", "QRCodePNG"];

    fn resource(input: &CreateVirtualMfaDeviceInput, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &CreateVirtualMfaDeviceInput, _: &Call, context: &mut Context) {
        conditions::new_tags(context, &input.tags);
    }
}

impl Write for CreateVirtualMfaDevice {
    async fn prepare(input: &CreateVirtualMfaDeviceInput, call: &Call) -> Result<(), Fault> {
        permission::tagging(call, "TagMFADevice", &input.arn(call), &input.tags)
    }

    fn act(
        input: CreateVirtualMfaDeviceInput,
        call: &Call,
        tx: &mut Transaction,
    ) -> Result<CreateVirtualMfaDeviceOutput, Fault> {
        let tags = tags(&input.tags);
        let new = NewMfaDevice { name: &input.name, path: input.path.as_deref(), tags: &tags };
        let made = call
            .rooms
            .identity
            .create_mfa_device(tx, call.account, &new, call.arrival.at)
            .map_err(|e| call.refused(e))?;
        Ok(CreateVirtualMfaDeviceOutput { device: SeededDeviceShape::of(&made, call)? })
    }
}

/// DeleteVirtualMFADevice
pub(super) struct DeleteVirtualMfaDevice;

impl Described for DeleteVirtualMfaDevice {
    type Input = Named<MfaDevice>;
    type Output = ();
    const NAME: &'static str = "DeleteVirtualMFADevice";

    fn resource(input: &Named<MfaDevice>, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &Named<MfaDevice>, call: &Call, context: &mut Context) {
        input.describe(call, context);
    }
}

impl Write for DeleteVirtualMfaDevice {
    fn act(input: Named<MfaDevice>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        mfa::delete(tx, call.account, input.name()).map_err(|e| call.refused(e))
    }
}

/// GetMFADevice: of the named user; without a name, whoever has the device. AWS answers about FIDO keys only.
pub(super) struct GetMfaDevice;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetMfaDeviceInput {
    #[serde(flatten)]
    device: Named<MfaDevice>,
    user_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetMfaDeviceOutput {
    user_name: String,
    serial_number: String,
    enable_date: Option<Timestamp>,
}

/// Who has the device that is asked for, if there is one and it is somebody's.
fn holder_of(input: &GetMfaDeviceInput, call: &Call) -> Option<MfaHolder> {
    let device = mfa::get(&call.rooms.state, call.account, input.device.name()).ok()?;
    mfa::holder(&call.rooms.state, &device)
}

impl Described for GetMfaDevice {
    type Input = GetMfaDeviceInput;
    type Output = GetMfaDeviceOutput;
    const NAME: &'static str = "GetMFADevice";

    fn resource(input: &GetMfaDeviceInput, call: &Call) -> Result<String, Fault> {
        match (&input.user_name, holder_of(input, call)) {
            (None, Some(MfaHolder::User(user))) => Ok(Named::<User>::new(&user.name).arn(call)),
            (None, Some(MfaHolder::Root)) => Ok(root_arn(call.account).to_string()),
            (name, _) => holder_arn(name.as_deref(), call),
        }
    }

    fn context(input: &GetMfaDeviceInput, call: &Call, context: &mut Context) {
        match (&input.user_name, holder_of(input, call)) {
            (None, Some(MfaHolder::User(user))) => Named::<User>::new(&user.name).describe(call, context),
            (None, Some(MfaHolder::Root)) => {}
            (name, _) => describe_holder(name.as_deref(), call, context),
        }
    }
}

impl Read for GetMfaDevice {
    async fn act(input: GetMfaDeviceInput, call: &Call) -> Result<GetMfaDeviceOutput, Fault> {
        let (docs, serial) = (&call.rooms.state, input.device.name());
        let device = match &input.user_name {
            Some(name) => mfa::of_holder(docs, call.account, holder(Some(name), call)?, serial),
            None => mfa::get(docs, call.account, serial),
        };
        let device = device.map_err(|e| call.refused(e))?;
        let user_name = match mfa::holder(docs, &device) {
            Some(MfaHolder::User(user)) => user.name.clone(),
            Some(MfaHolder::Root) => ROOT.to_owned(),
            None => return Err(call.refused(mfa::nobodys())),
        };
        Ok(GetMfaDeviceOutput {
            user_name,
            serial_number: device.serial_number(),
            enable_date: device.assignment.as_ref().map(|assignment| assignment.since.into()),
        })
    }
}
