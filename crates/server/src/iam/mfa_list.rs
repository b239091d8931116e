//! Lists of MFA devices.

use opentrail_identity::{
    KeyHolder, MfaDevice, account,
    mfa::{self, MfaHolder},
    root_arn,
};
use opentrail_policy::Context;
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    choice::choose,
    mfa::{ROOT, describe_holder, holder, holder_arn},
    page::{More, Paging},
    shape::UserShape,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
};

/// ListMFADevices: a user's; without a name, the caller's own.
pub(super) struct ListMfaDevices;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMfaDevicesInput {
    user_name: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
pub(super) struct ListMfaDevicesOutput {
    #[serde(rename = "MFADevices")]
    devices: Vec<DeviceShape>,
    #[serde(flatten)]
    more: More,
}

/// `MFADevice`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeviceShape {
    user_name: String,
    serial_number: String,
    enable_date: Option<Timestamp>,
}

impl Described for ListMfaDevices {
    type Input = ListMfaDevicesInput;
    type Output = ListMfaDevicesOutput;
    const NAME: &'static str = "ListMFADevices";

    fn resource(input: &ListMfaDevicesInput, call: &Call) -> Result<String, Fault> {
        holder_arn(input.user_name.as_deref(), call)
    }

    fn context(input: &ListMfaDevicesInput, call: &Call, context: &mut Context) {
        describe_holder(input.user_name.as_deref(), call, context);
    }
}

impl Read for ListMfaDevices {
    async fn act(input: ListMfaDevicesInput, call: &Call) -> Result<ListMfaDevicesOutput, Fault> {
        let holder = holder(input.user_name.as_deref(), call)?;
        let page = mfa::list(&call.rooms.state, call.account, holder, input.paging.request())
            .map_err(|e| call.refused(e))?;
        let user_name = match holder {
            KeyHolder::Root => ROOT,
            KeyHolder::User(name) => name,
        };
        let shape = |device: &MfaDevice| DeviceShape {
            user_name: user_name.to_owned(),
            serial_number: device.serial_number(),
            enable_date: enable_date(device),
        };
        let devices = page.items.iter().map(|device| shape(device)).collect();
        Ok(ListMfaDevicesOutput { devices, more: page.next.into() })
    }
}

/// ListVirtualMFADevices: all of the account's.
pub(super) struct ListVirtualMfaDevices;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListVirtualMfaDevicesInput {
    assignment_status: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
pub(super) struct ListVirtualMfaDevicesOutput {
    #[serde(rename = "VirtualMFADevices")]
    devices: Vec<VirtualDeviceShape>,
    #[serde(flatten)]
    more: More,
}

/// `VirtualMFADevice`, as lists have it: without seed and tags.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct VirtualDeviceShape {
    serial_number: String,
    user: Option<HolderShape>,
    enable_date: Option<Timestamp>,
}

/// `User`
#[derive(Serialize)]
#[serde(untagged)]
enum HolderShape {
    User(UserShape),
    Root(RootShape),
}

/// The root as a `User`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RootShape {
    path: &'static str,
    user_name: &'static str,
    user_id: String,
    arn: String,
    create_date: Timestamp,
}

impl VirtualDeviceShape {
    fn of(device: &MfaDevice, call: &Call) -> Self {
        let user = mfa::holder(&call.rooms.state, device).map(|holder| match holder {
            MfaHolder::User(user) => HolderShape::User(UserShape::listed(&user)),
            MfaHolder::Root => HolderShape::Root(RootShape {
                path: "/",
                user_name: ROOT,
                user_id: call.account.to_string(),
                arn: root_arn(call.account).to_string(),
                create_date: account::root_since(&call.rooms.state, call.account)
                    .unwrap_or(device.created_at)
                    .into(),
            }),
        });
        Self { serial_number: device.serial_number(), user, enable_date: enable_date(device) }
    }
}

impl Described for ListVirtualMfaDevices {
    type Input = ListVirtualMfaDevicesInput;
    type Output = ListVirtualMfaDevicesOutput;
    const NAME: &'static str = "ListVirtualMFADevices";
}

impl Read for ListVirtualMfaDevices {
    async fn act(
        input: ListVirtualMfaDevicesInput,
        call: &Call,
    ) -> Result<ListVirtualMfaDevicesOutput, Fault> {
        const STATUSES: &[(&str, Option<bool>)] =
            &[("Assigned", Some(true)), ("Unassigned", Some(false)), ("Any", None)];
        let assigned = match &input.assignment_status {
            Some(status) => choose(call, "assignmentStatus", status, STATUSES)?,
            None => None,
        };
        let page = mfa::list_virtual(&call.rooms.state, call.account, assigned, input.paging.request())
            .map_err(|e| call.refused(e))?;
        let devices = page.items.iter().map(|device| VirtualDeviceShape::of(device, call)).collect();
        Ok(ListVirtualMfaDevicesOutput { devices, more: page.next.into() })
    }
}

fn enable_date(device: &MfaDevice) -> Option<Timestamp> {
    device.assignment.as_ref().map(|assignment| assignment.since.into())
}
