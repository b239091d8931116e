//! What happens around every operation: decode, authorize, act, record.

use http::StatusCode;
use opentrail_event::AccountId;
use opentrail_identity::account;
use opentrail_wire::value;
use serde_json::Value;

use crate::{
    call::Call,
    fault::{Common, Dialect, Fault},
    operation::{Described, Outcome, Permission, Read, Spend, Vouch, Write},
    recording::{Trace, unwritable},
};

/// Runs an operation that reads. Its record is durable before its answer leaves.
pub(crate) async fn read<O: Read>(call: &Call, params: Value) -> Outcome {
    let mut trace = Trace::new(O::NAME, true, O::SECRETS);
    let input = match open::<O>(call, &mut trace, &params) {
        Ok(input) => input,
        Err(fault) => return Err(trace.failed(call, fault).await),
    };
    match O::act(input, call).await.and_then(|output| written(call, &output)) {
        Ok(answer) => {
            let elements = O::SHOWS_ELEMENTS.then(|| value::to_record(&answer, call.service.record_times));
            trace.succeeded(call, elements).await?;
            Ok(answer)
        }
        Err(fault) => Err(trace.failed(call, fault).await),
    }
}

/// Runs an operation that writes. Its change and its record are one journal entry, durable before its
/// answer leaves; where the entry can't be written, the change has not happened.
pub(crate) async fn write<O: Write>(call: &Call, params: Value) -> Outcome {
    let mut trace = Trace::new(O::NAME, false, O::SECRETS);
    let input = match open::<O>(call, &mut trace, &params) {
        Ok(input) => input,
        Err(fault) => return Err(trace.failed(call, fault).await),
    };
    if let Err(fault) = O::prepare(&input, call).await {
        return Err(trace.failed(call, fault).await);
    }
    match change::<O>(call, input, &trace).await {
        Ok(answer) => Ok(answer),
        Err(fault) => Err(trace.failed(call, fault).await),
    }
}

/// The change and its record, as one entry. On an error nothing has happened, and nothing is recorded yet.
async fn change<O: Write>(call: &Call, input: O::Input, trace: &Trace) -> Outcome {
    let mut tx = call.rooms.state.begin().await;
    let output = O::act(input, call, &mut tx)?;
    let answer = written(call, &output)?;
    if let Some(follow) = call.service.follow {
        follow(call, &mut tx);
    }
    let mut elements = value::to_record(&answer, call.service.record_times);
    O::amend_elements(&mut elements);
    let mut events = trace.events(call, Some(elements))?;
    events.extend(O::also(&output, call).map_err(|error| unwritable(&error, call.dialect()))?);
    tx.commit(events).await.map_err(|error| Fault::of_state(error, call.dialect()))?;
    Ok(answer)
}

/// Runs an operation that may spend an MFA code. That the code is spent and the record are one journal entry,
/// durable before the answer leaves; a call without a code waits for nobody.
pub(crate) async fn spend<O: Spend>(call: &Call, params: Value) -> Outcome {
    let mut trace = Trace::new(O::NAME, true, O::SECRETS);
    let input = match open::<O>(call, &mut trace, &params) {
        Ok(input) => input,
        Err(fault) => return Err(trace.failed(call, fault).await),
    };
    match answer::<O>(call, input, &trace).await {
        Ok((answer, true)) => Ok(answer),
        Ok((answer, false)) => {
            let elements = O::SHOWS_ELEMENTS.then(|| value::to_record(&answer, call.service.record_times));
            trace.succeeded(call, elements).await?;
            Ok(answer)
        }
        Err(fault) => Err(trace.failed(call, fault).await),
    }
}

/// The answer, and whether its record is durable already, in one entry with the code that was spent.
async fn answer<O: Spend>(
    call: &Call,
    input: O::Input,
    trace: &Trace,
) -> Result<(value::Value, bool), Fault> {
    let mut tx = if O::spends(&input) { Some(call.rooms.state.begin().await) } else { None };
    let answer = written(call, &O::act(input, call, tx.as_mut())?)?;
    let Some(tx) = tx else { return Ok((answer, false)) };
    let elements = O::SHOWS_ELEMENTS.then(|| value::to_record(&answer, call.service.record_times));
    tx.commit(trace.events(call, elements)?).await.map_err(|error| Fault::of_state(error, call.dialect()))?;
    Ok((answer, true))
}

/// Runs an operation that nobody signs. Until somebody is vouched for its records are a stranger's, in the account
/// that it concerns if that is one of ours.
pub(crate) async fn vouch<O: Vouch>(call: &Call, params: Value) -> Outcome {
    let mut trace = Trace::new(O::NAME, true, O::SECRETS);
    let input = match open::<O>(call, &mut trace, &params) {
        Ok(input) => input,
        Err(fault) => return Err(trace.failed(call, fault).await),
    };
    let ours = |account: &AccountId| account::exists(&call.rooms.state, *account);
    let account = O::account(&input).filter(ours).unwrap_or(call.rooms.home);
    let call = &call.made_by(call.caller.clone(), account);
    let voucher = match O::vouch(&input, call).await {
        Ok(voucher) => voucher,
        Err(fault) => return Err(trace.failed(call, fault).await),
    };
    let call = &call.made_by(O::caller(&voucher), account);
    match O::act(input, voucher, call).and_then(|output| written(call, &output)) {
        Ok(answer) => {
            let elements = O::SHOWS_ELEMENTS.then(|| value::to_record(&answer, call.service.record_times));
            trace.succeeded(call, elements).await?;
            Ok(answer)
        }
        Err(fault) => Err(trace.failed(call, fault).await),
    }
}

/// Decodes the input and asks for permission; the trace learns what was asked for either way.
fn open<O: Described>(call: &Call, trace: &mut Trace, params: &Value) -> Result<O::Input, Fault> {
    if !O::DENIAL_SHOWS_PARAMETERS {
        trace.set_discreet();
    }
    let input = decode::<O>(call, params)?;
    if let Ok(tree) = value::to_value(&input) {
        let mut parameters = value::to_record(&tree, call.service.record_times);
        O::amend(&input, &mut parameters);
        trace.set_parameters(parameters);
        trace.set_resources(O::touched(&input, call), call);
    }
    permit::<O>(call, &input)?;
    Ok(input)
}

fn decode<O: Described>(call: &Call, params: &Value) -> Result<O::Input, Fault> {
    let decoded = match call.dialect() {
        Dialect::Query => {
            opentrail_wire::query::from_query(params).map_err(|error| (Common::Invalid, error.to_string()))
        }
        _ => serde_json::from_value(params.clone()).map_err(|error| {
            let text = error.to_string();
            let missing = text.starts_with("missing field");
            (if missing { Common::Invalid } else { Common::Malformed }, text)
        }),
    };
    decoded.map_err(|(kind, text)| call.fault(kind, text))
}

fn permit<O: Described>(call: &Call, input: &O::Input) -> Result<(), Fault> {
    if O::PERMISSION != Permission::Policies {
        return Ok(());
    }
    let action = format!("{}:{}", call.service.name, O::NAME);
    let resource = O::resource(input, call)?;
    let mut context = call.arrival.context(&call.region);
    O::context(input, call, &mut context);
    call.permit(&action, &resource, context)
}

fn written<T: serde::Serialize>(call: &Call, output: &T) -> Outcome {
    value::to_value(output).map_err(|error| {
        tracing::error!(%error, "an answer can't be written");
        Fault::common(Common::Internal, call.dialect(), StatusCode::INTERNAL_SERVER_ERROR.as_str())
    })
}
