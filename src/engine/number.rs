//! The value of a BSON number, whatever its type: int32, int64, double and decimal128 that
//! compare equal on a server are equal here, and all are ordered exactly, as in its indexes.
//! Knows nothing of documents. Decimal128: IEEE 754-2008, binary integer encoding.

use std::cmp::Ordering;

use super::bson::{Elem, kind};

/// A number in the one form all its spellings share, so equality of values is equality of forms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// Not a number: one value, below all others.
    Nan,
    NegativeInfinity,
    PositiveInfinity,
    /// Anything an int64 holds; zero has no sign.
    Int(i64),
    /// Finite and no `Int`.
    Double(f64),
    /// Neither an `Int` nor a `Double`.
    Decimal(Decimal),
}

/// `±coefficient · 10^exponent`; the coefficient is not 0 and not divisible by 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) negative: bool,
    pub(super) coefficient: u128,
    pub(super) exponent: i32,
}

/// The largest coefficient of a decimal128 has 34 digits; larger encodings mean zero.
const MAX_COEFFICIENT: u128 = 10u128.pow(34) - 1;

/// 2^63: the first double above every int64.
const TWO_63: f64 = 9_223_372_036_854_775_808.0;

impl Number {
    /// The number an element holds, `None` for other kinds.
    pub(super) fn of(elem: &Elem<'_>) -> Option<Number> {
        Some(match elem.kind {
            kind::INT32 => Number::Int(i32::from_le_bytes(elem.value.try_into().ok()?).into()),
            kind::INT64 => Number::Int(i64::from_le_bytes(elem.value.try_into().ok()?)),
            kind::DOUBLE => Number::of_double(f64::from_le_bytes(elem.value.try_into().ok()?)),
            kind::DECIMAL => Number::of_decimal(u128::from_le_bytes(elem.value.try_into().ok()?)),
            _ => return None,
        })
    }

    fn of_double(value: f64) -> Number {
        if value.is_nan() {
            Number::Nan
        } else if value.is_infinite() {
            if value < 0.0 { Number::NegativeInfinity } else { Number::PositiveInfinity }
        } else if value.fract() == 0.0 && (-TWO_63..TWO_63).contains(&value) {
            Number::Int(value as i64)
        } else {
            Number::Double(value)
        }
    }

    fn of_decimal(bits: u128) -> Number {
        let negative = bits >> 127 == 1;
        match bits >> 122 & 0x1f {
            0x1f => return Number::Nan,
            0x1e if negative => return Number::NegativeInfinity,
            0x1e => return Number::PositiveInfinity,
            // The form for coefficients of 2^113 and more: none of them is canonical.
            0x18.. => return Number::Int(0),
            _ => {}
        }
        let mut coefficient = bits & ((1 << 113) - 1);
        let mut exponent = (bits >> 113 & 0x3fff) as i32 - 6176;
        if coefficient == 0 || coefficient > MAX_COEFFICIENT {
            return Number::Int(0);
        }
        while coefficient.is_multiple_of(10) {
            coefficient /= 10;
            exponent += 1;
        }
        let decimal = Decimal { negative, coefficient, exponent };
        decimal
            .as_int()
            .map(Number::Int)
            .or_else(|| decimal.as_double().map(Number::Double))
            .unwrap_or(Number::Decimal(decimal))
    }

    /// The order of numbers on a server. Equal iff the forms are equal.
    pub(super) fn compare(self, other: Number) -> Ordering {
        use Number::*;
        match (self, other) {
            (Int(a), Int(b)) => a.cmp(&b),
            (Double(a), Double(b)) => a.total_cmp(&b),
            (Int(a), Double(b)) => int_to_double(a, b),
            (Double(a), Int(b)) => int_to_double(b, a).reverse(),
            (Decimal(a), Decimal(b)) => a.compare(b),
            (Decimal(a), Int(b)) => a.compare_int(b),
            (Int(a), Decimal(b)) => b.compare_int(a).reverse(),
            (Decimal(a), Double(b)) => a.compare_double(b),
            (Double(a), Decimal(b)) => b.compare_double(a).reverse(),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }

    /// Where the values without digits stand among the others.
    fn rank(self) -> u8 {
        match self {
            Number::Nan => 0,
            Number::NegativeInfinity => 1,
            Number::Int(_) | Number::Double(_) | Number::Decimal(_) => 2,
            Number::PositiveInfinity => 3,
        }
    }
}

/// Exact, and never `Equal`: a double that is an int64 is no [`Number::Double`].
fn int_to_double(int: i64, double: f64) -> Ordering {
    if double >= TWO_63 {
        return Ordering::Less;
    }
    if double < -TWO_63 {
        return Ordering::Greater;
    }
    let whole = double.trunc() as i64;
    int.cmp(&whole).then(if double.fract() > 0.0 { Ordering::Less } else { Ordering::Greater })
}

impl Decimal {
    fn as_int(self) -> Option<i64> {
        let scale = 10u128.checked_pow(u32::try_from(self.exponent).ok().filter(|&e| e < 19)?)?;
        let magnitude = i128::try_from(self.coefficient.checked_mul(scale)?).ok()?;
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }

    /// The double that is exactly this value: `odd · 2^n` with an odd part below 2^53. Powers of
    /// five above 5^22 exceed that, so none of them can be left over, and a 34-digit coefficient
    /// holds at most 5^48, so `n` stays far inside the range of doubles.
    fn as_double(self) -> Option<f64> {
        let fives = self.exponent.unsigned_abs();
        let scaled = if self.exponent >= 0 {
            let odd = self.coefficient >> self.coefficient.trailing_zeros();
            odd.checked_mul(5u128.checked_pow(fives).filter(|_| fives <= 22)?)?
        } else {
            let divisor = 5u128.checked_pow(fives).filter(|_| fives <= 48)?;
            if !self.coefficient.is_multiple_of(divisor) {
                return None;
            }
            self.coefficient / divisor
        };
        let odd = scaled >> scaled.trailing_zeros();
        if odd >= 1 << 53 {
            return None;
        }
        let stripped =
            if self.exponent >= 0 { self.coefficient.trailing_zeros() } else { scaled.trailing_zeros() };
        let value = odd as f64 * 2f64.powi(self.exponent + stripped as i32);
        Some(if self.negative { -value } else { value })
    }

    fn compare(self, other: Decimal) -> Ordering {
        self.compare_parts(other.negative, other.coefficient, other.exponent)
    }

    fn compare_int(self, int: i64) -> Ordering {
        if int == 0 {
            return if self.negative { Ordering::Less } else { Ordering::Greater };
        }
        self.compare_parts(int < 0, int.unsigned_abs().into(), 0)
    }

    /// With a coefficient that is not 0 and has at most 34 digits.
    fn compare_parts(self, negative: bool, coefficient: u128, exponent: i32) -> Ordering {
        if self.negative != negative {
            return if self.negative { Ordering::Less } else { Ordering::Greater };
        }
        let top = |c: u128, e: i32| c.ilog10() as i32 + e;
        let magnitude =
            top(self.coefficient, self.exponent).cmp(&top(coefficient, exponent)).then_with(|| {
                // The same number of digits before the point: the scaled one has at most 34 digits.
                let shift = |by: i32| 10u128.saturating_pow(by.max(0).unsigned_abs());
                let ours = self.coefficient.saturating_mul(shift(self.exponent - exponent));
                ours.cmp(&coefficient.saturating_mul(shift(exponent - self.exponent)))
            });
        if negative { magnitude.reverse() } else { magnitude }
    }

    /// Exact, and never `Equal`: a decimal that is a double is a [`Number::Double`].
    fn compare_double(self, double: f64) -> Ordering {
        if self.negative != (double < 0.0) {
            return if self.negative { Ordering::Less } else { Ordering::Greater };
        }
        let double = double.abs();
        // Correctly rounded, so it is on the right side of every double but the one it equals.
        let nearest: f64 = format!("{}e{}", self.coefficient, self.exponent).parse().unwrap_or(f64::INFINITY);
        let magnitude = match nearest.partial_cmp(&double) {
            Some(Ordering::Less) => Ordering::Less,
            Some(Ordering::Greater) => Ordering::Greater,
            _ => self.compare_digits(double),
        };
        if self.negative { magnitude.reverse() } else { magnitude }
    }

    /// Compares the magnitude with all decimal digits of a double (at most 767).
    fn compare_digits(self, double: f64) -> Ordering {
        let text = format!("{double:.800e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        let ours = self.coefficient.to_string();
        let top = ours.len() as i32 - 1 + self.exponent;
        let theirs = digits.bytes().filter(u8::is_ascii_digit);
        top.cmp(&power.parse().unwrap_or(0))
            .then_with(|| ours.bytes().chain(std::iter::repeat(b'0')).take(801).cmp(theirs))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn decimal(text: &str) -> Number {
        let d = bson::Decimal128::from_str(text).unwrap();
        Number::of_decimal(u128::from_le_bytes(d.bytes()))
    }

    #[test]
    fn the_same_value_has_the_same_form() {
        for (text, double) in [
            ("1.00", 1.0),
            ("-0", 0.0),
            ("0E+100", -0.0),
            ("0.5", 0.5),
            ("1E22", 1e22),
            ("99999999999999991611392", 1e23),
            ("-0.1250", -0.125),
            ("9223372036854775808", TWO_63),
            ("0.0000000000000000000000000000000000000000000001E46", 1.0),
        ] {
            assert_eq!(decimal(text), Number::of_double(double), "{text}");
        }
        assert_eq!(decimal("9223372036854775807"), Number::Int(i64::MAX));
        assert_eq!(decimal("-9223372036854775808"), Number::Int(i64::MIN));
        assert_eq!(decimal("NaN"), Number::of_double(f64::NAN));
        assert_eq!(decimal("-Infinity"), Number::of_double(f64::NEG_INFINITY));
        assert_eq!(decimal("1E+6000").compare(decimal("10E+5999")), Ordering::Equal);
        assert_ne!(decimal("0.1"), Number::of_double(0.1));
        assert_ne!(decimal("1E23"), Number::of_double(1e23));
    }

    /// The list is sorted by the definition of the numbers themselves.
    #[test]
    fn every_pair_is_ordered() {
        let sorted = [
            Number::Nan,
            Number::NegativeInfinity,
            decimal("-1E+6000"),
            Number::of_double(f64::MIN),
            decimal("-9223372036854775808.5"),
            Number::Int(i64::MIN),
            Number::of_double(-1.5),
            decimal("-1.4"),
            Number::Int(-1),
            decimal("-1E-6000"),
            Number::Int(0),
            decimal("1E-6000"),
            // 5e-324 is 4.940656458412465441765687928682213723…E-324
            decimal("4.940656458412465441765687928682213E-324"),
            Number::of_double(5e-324),
            decimal("4.940656458412465441765687928682214E-324"),
            decimal("0.1"),
            // 0.1 is 0.1000000000000000055511151231257827021…
            decimal("0.1000000000000000055511151231257827"),
            Number::of_double(0.1),
            decimal("0.1000000000000000055511151231257828"),
            Number::Int(1),
            decimal("1.000000000000000000000000000000001"),
            Number::of_double(1.5),
            Number::Int(i64::MAX - 1),
            decimal("9223372036854775806.5"),
            Number::Int(i64::MAX),
            decimal("9223372036854775807.5"),
            Number::of_double(TWO_63),
            Number::of_double(1e23),
            decimal("1E23"),
            Number::of_double(f64::MAX),
            decimal("1E+309"),
            decimal("1E+6000"),
            decimal("2E+6000"),
            Number::PositiveInfinity,
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(a.compare(*b), i.cmp(&j), "{a:?} against {b:?}");
            }
        }
    }
}
