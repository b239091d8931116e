//! Functions of numbers.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use datafusion::common::Result;
use datafusion::logical_expr::Volatility;

use super::call::{Call, Function, Overload, failed, function, returns};

macro_rules! doubles {
    ($($name:literal $(alias $alias:literal)* => $compute:expr;)*) => { [$(
        function!($name, $(alias $alias,)* (Double) -> returns::double => |call| {
            let compute: fn(f64) -> f64 = $compute;
            double(call, compute)
        })
    ),*] };
}

/// Functions of one double.
pub(crate) static OF_DOUBLES: &[Function] = &doubles! {
    "sqrt" => f64::sqrt;
    "cbrt" => f64::cbrt;
    "exp" => f64::exp;
    "ln" => f64::ln;
    "log2" => f64::log2;
    "log10" => f64::log10;
    "sin" => f64::sin;
    "cos" => f64::cos;
    "tan" => f64::tan;
    "asin" => f64::asin;
    "acos" => f64::acos;
    "atan" => f64::atan;
    "sinh" => f64::sinh;
    "cosh" => f64::cosh;
    "tanh" => f64::tanh;
    "degrees" => f64::to_degrees;
    "radians" => f64::to_radians;
};

/// The other functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    function!("abs",
        (Bigint) -> returns::bigint => |call| long(call, |a| a.checked_abs()),
        (Double) -> returns::double => |call| double(call, f64::abs)),
    function!("ceil", alias "ceiling",
        (Bigint) -> returns::bigint => |call| long(call, Some),
        (Double) -> returns::double => |call| double(call, f64::ceil)),
    function!("floor",
        (Bigint) -> returns::bigint => |call| long(call, Some),
        (Double) -> returns::double => |call| double(call, f64::floor)),
    function!("truncate",
        (Double) -> returns::double => |call| double(call, f64::trunc),
        (Double, Bigint) -> returns::double => |call| places(call, f64::trunc)),
    function!("round",
        (Bigint) -> returns::bigint => |call| long(call, Some),
        (Double) -> returns::double => |call| double(call, f64::round),
        (Bigint, Bigint) -> returns::bigint => round_long,
        (Double, Bigint) -> returns::double => |call| places(call, f64::round)),
    function!("sign",
        (Bigint) -> returns::bigint => |call| long(call, |a| Some(a.signum())),
        (Double) -> returns::double => |call| double(call, |a| if a == 0.0 || a.is_nan() { a } else { a.signum() })),
    function!("mod",
        (Bigint, Bigint) -> returns::bigint => modulus,
        (Double, Double) -> returns::double => |call| double2(call, |a, b| a % b)),
    function!("power", alias "pow", (Double, Double) -> returns::double => |call| double2(call, f64::powf)),
    function!("log", (Double, Double) -> returns::double => |call| double2(call, |base, a| a.ln() / base.ln())),
    function!("atan2", (Double, Double) -> returns::double => |call| double2(call, f64::atan2)),
    function!("pi", () -> returns::double => |_| Ok(Arc::new(Float64Array::from(vec![std::f64::consts::PI])))),
    function!("e", () -> returns::double => |_| Ok(Arc::new(Float64Array::from(vec![std::f64::consts::E])))),
    function!("nan", () -> returns::double => |_| Ok(Arc::new(Float64Array::from(vec![f64::NAN])))),
    function!("infinity", () -> returns::double => |_| Ok(Arc::new(Float64Array::from(vec![f64::INFINITY])))),
    function!("is_nan", (Double) -> returns::boolean => |call| test(call, f64::is_nan)),
    function!("is_finite", (Double) -> returns::boolean => |call| test(call, f64::is_finite)),
    function!("is_infinite", (Double) -> returns::boolean => |call| test(call, f64::is_infinite)),
    function!("width_bucket", (Double, Double, Double, Bigint) -> returns::bigint => width_bucket),
    function!("bitwise_and", (Bigint, Bigint) -> returns::bigint => |call| long2(call, |a, b| a & b)),
    function!("bitwise_or", (Bigint, Bigint) -> returns::bigint => |call| long2(call, |a, b| a | b)),
    function!("bitwise_xor", (Bigint, Bigint) -> returns::bigint => |call| long2(call, |a, b| a ^ b)),
    function!("bitwise_not", (Bigint) -> returns::bigint => |call| long(call, |a| Some(!a))),
    function!("bitwise_left_shift", (Bigint, Bigint) -> returns::bigint => |call| long2(call, |a, by| {
        shift(by).map_or(0, |by| a << by)
    })),
    function!("bitwise_right_shift", (Bigint, Bigint) -> returns::bigint => |call| long2(call, |a, by| {
        shift(by).map_or(0, |by| ((a as u64) >> by) as i64)
    })),
    function!("bitwise_right_shift_arithmetic", (Bigint, Bigint) -> returns::bigint => |call| long2(call, |a, by| {
        a >> shift(by).unwrap_or(63)
    })),
    function!("bit_count", (Bigint, Bigint) -> returns::bigint => bit_count),
    function!("to_base", (Bigint, Bigint) -> returns::text => to_base),
    function!("from_base", (Text, Bigint) -> returns::bigint => from_base),
];

/// Functions that give another value each time.
pub(crate) static RANDOM: &[Function] = &[Function {
    name: "random",
    aliases: &["rand"],
    overloads: &[
        Overload { parameters: &[], repeats: false, returns: returns::double, body: random },
        Overload {
            parameters: &[super::call::Kind::Bigint],
            repeats: false,
            returns: returns::bigint,
            body: random_below,
        },
    ],
    volatility: Volatility::Volatile,
    simplify: None,
    picks: false,
}];

fn double(call: &Call, compute: impl Fn(f64) -> f64) -> Result<ArrayRef> {
    let values = call.doubles(0)?;
    let result: Float64Array = (0..call.rows).map(|row| values.get(row).map(&compute)).collect();
    Ok(Arc::new(result))
}

fn double2(call: &Call, compute: impl Fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let (a, b) = (call.doubles(0)?, call.doubles(1)?);
    let result: Float64Array = (0..call.rows).map(|row| Some(compute(a.get(row)?, b.get(row)?))).collect();
    Ok(Arc::new(result))
}

fn long(call: &Call, compute: impl Fn(i64) -> Option<i64>) -> Result<ArrayRef> {
    let values = call.longs(0)?;
    let result = (0..call.rows)
        .map(|row| match values.get(row) {
            None => Ok(None),
            Some(value) => match compute(value) {
                Some(result) => Ok(Some(result)),
                None => Err(failed(format!("bigint is out of range: {value}"))),
            },
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(result))
}

fn long2(call: &Call, compute: impl Fn(i64, i64) -> i64) -> Result<ArrayRef> {
    let (a, b) = (call.longs(0)?, call.longs(1)?);
    let result: Int64Array = (0..call.rows).map(|row| Some(compute(a.get(row)?, b.get(row)?))).collect();
    Ok(Arc::new(result))
}

fn test(call: &Call, answer: impl Fn(f64) -> bool) -> Result<ArrayRef> {
    let values = call.doubles(0)?;
    let result: BooleanArray = (0..call.rows).map(|row| values.get(row).map(&answer)).collect();
    Ok(Arc::new(result))
}

fn shift(by: i64) -> Option<u32> {
    u32::try_from(by).ok().filter(|by| *by < 64)
}

fn modulus(call: &Call) -> Result<ArrayRef> {
    let (a, b) = (call.longs(0)?, call.longs(1)?);
    let result = (0..call.rows)
        .map(|row| match (a.get(row), b.get(row)) {
            (Some(_), Some(0)) => Err(failed("Division by zero")),
            (Some(a), Some(b)) => Ok(Some(a.wrapping_rem(b))),
            _ => Ok(None),
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(result))
}

/// Rounds doubles to a number of decimal places.
fn places(call: &Call, round: impl Fn(f64) -> f64) -> Result<ArrayRef> {
    let (values, places) = (call.doubles(0)?, call.longs(1)?);
    let result: Float64Array = (0..call.rows)
        .map(|row| {
            let (value, places) = (values.get(row)?, places.get(row)?);
            let factor = 10f64.powi(i32::try_from(places.clamp(-400, 400)).unwrap_or(0));
            let scaled = value * factor;
            // What is too large to have places is as round as it gets.
            Some(if scaled.is_finite() && factor > 0.0 { round(scaled) / factor } else { value })
        })
        .collect();
    Ok(Arc::new(result))
}

fn round_long(call: &Call) -> Result<ArrayRef> {
    long2(call, |value, places| {
        if places >= 0 {
            return value;
        }
        let factor = u32::try_from(places.unsigned_abs()).ok().and_then(|places| 10i128.checked_pow(places));
        let Some(factor) = factor.filter(|factor| *factor <= i128::from(i64::MAX)) else { return 0 };
        let value = i128::from(value);
        let half = if value < 0 { -factor / 2 } else { factor / 2 };
        i64::try_from((value + half) / factor * factor).unwrap_or(i64::MAX)
    })
}

fn width_bucket(call: &Call) -> Result<ArrayRef> {
    let (values, lows, highs, counts) =
        (call.doubles(0)?, call.doubles(1)?, call.doubles(2)?, call.longs(3)?);
    let buckets = (0..call.rows)
        .map(|row| {
            let (Some(value), Some(low), Some(high), Some(count)) =
                (values.get(row), lows.get(row), highs.get(row), counts.get(row))
            else {
                return Ok(None);
            };
            if count < 1 || low == high || !low.is_finite() || !high.is_finite() || value.is_nan() {
                return Err(failed("width_bucket takes bounds that differ and a positive number of buckets"));
            }
            let place = ((value - low) / (high - low) * count as f64).floor();
            Ok(Some(if place < 0.0 {
                0
            } else {
                (place as i64).saturating_add(1).min(count.saturating_add(1))
            }))
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(buckets))
}

fn bit_count(call: &Call) -> Result<ArrayRef> {
    let (values, bits) = (call.longs(0)?, call.longs(1)?);
    let counts = (0..call.rows)
        .map(|row| {
            let (Some(value), Some(bits)) = (values.get(row), bits.get(row)) else { return Ok(None) };
            if !(2..=64).contains(&bits) {
                return Err(failed("Bits specified in bit_count must be between 2 and 64"));
            }
            let mask = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
            Ok(Some(i64::from((value as u64 & mask).count_ones())))
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(counts))
}

fn radix(value: i64) -> Result<u32> {
    u32::try_from(value)
        .ok()
        .filter(|radix| (2..=36).contains(radix))
        .ok_or_else(|| failed("Radix must be between 2 and 36"))
}

fn to_base(call: &Call) -> Result<ArrayRef> {
    let (values, bases) = (call.longs(0)?, call.longs(1)?);
    let texts = (0..call.rows)
        .map(|row| {
            let (Some(value), Some(base)) = (values.get(row), bases.get(row)) else { return Ok(None) };
            let base = u64::from(radix(base)?);
            let mut rest = value.unsigned_abs();
            let mut digits = Vec::new();
            loop {
                digits.push(char::from_digit((rest % base) as u32, base as u32).unwrap_or('0'));
                rest /= base;
                if rest == 0 {
                    break;
                }
            }
            if value < 0 {
                digits.push('-');
            }
            Ok(Some(digits.into_iter().rev().collect::<String>()))
        })
        .collect::<Result<StringArray>>()?;
    Ok(Arc::new(texts))
}

fn from_base(call: &Call) -> Result<ArrayRef> {
    let (texts, bases) = (call.texts(0)?, call.longs(1)?);
    let values = (0..call.rows)
        .map(|row| {
            let (Some(text), Some(base)) = (texts.get(row), bases.get(row)) else { return Ok(None) };
            let value = i64::from_str_radix(text, radix(base)?);
            value.map(Some).map_err(|_| failed(format!("Not a valid base-{base} number: {text}")))
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(values))
}

/// A stream of numbers that nobody can guess the start of; nothing secret is made of them.
fn numbers() -> impl Iterator<Item = u64> {
    use std::hash::{BuildHasher, RandomState};
    let seed = RandomState::new();
    (0u64..).map(move |index| seed.hash_one(index))
}

fn random(call: &Call) -> Result<ArrayRef> {
    let values: Float64Array =
        numbers().take(call.rows).map(|bits| Some((bits >> 11) as f64 / (1u64 << 53) as f64)).collect();
    Ok(Arc::new(values))
}

fn random_below(call: &Call) -> Result<ArrayRef> {
    let bounds = call.longs(0)?;
    let values = numbers()
        .take(call.rows)
        .enumerate()
        .map(|(row, bits)| match bounds.get(row) {
            None => Ok(None),
            Some(bound) if bound <= 0 => Err(failed("bound must be positive")),
            Some(bound) => Ok(Some((bits % bound as u64) as i64)),
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(values))
}
