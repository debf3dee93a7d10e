//! Numbers by value: the same for every type that can hold them.

use std::fmt;

use bson::RawBsonRef;

/// A decimal number in its one normal form: sign, digits without zeros at either end, exponent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads a number as JSON writes it, or as a Decimal128 prints; `None` for anything else.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let numeric = |part: &str| part.bytes().all(|c| c.is_ascii_digit());
        let led = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || led || !numeric(whole) || !numeric(fraction) {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let significant = all.trim_end_matches('0');
        let cut = (all.len() - significant.len()) as i64;
        let digits = significant.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Decimal { negative: false, digits, exponent: 0 });
        }
        Some(Decimal { negative, digits, exponent: i64::from(exponent) - fraction.len() as i64 + cut })
    }

    /// As an integer, if it is one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        let zeros = usize::try_from(self.exponent).ok().filter(|zeros| *zeros < 20)?;
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}{}", self.digits, "0".repeat(zeros.max(usize::from(self.digits.is_empty()))))
            .parse()
            .ok()
    }

    /// The value of a number of any type; `None` for what is no finite number. A double counts
    /// as what it prints as, which is also what somebody who looks for it types.
    pub fn of(value: RawBsonRef<'_>) -> Option<Decimal> {
        match value {
            RawBsonRef::Int32(n) => Self::parse(&n.to_string()),
            RawBsonRef::Int64(n) => Self::parse(&n.to_string()),
            RawBsonRef::Double(n) => Self::parse(&n.to_string()),
            RawBsonRef::Decimal128(n) => Self::parse(&n.to_string()),
            _ => None,
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let digits = if self.digits.is_empty() { "0" } else { &self.digits };
        write!(f, "{sign}{digits}")?;
        if self.exponent == 0 { Ok(()) } else { write!(f, "E{}", self.exponent) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_one_form() {
        for same in [["42", "42.0"], ["4200", "4.2e3"], ["0", "-0.00"], ["0.5", "5E-1"], ["-1.50", "-15e-1"]]
        {
            assert_eq!(Decimal::parse(same[0]).unwrap(), Decimal::parse(same[1]).unwrap(), "{same:?}");
        }
        for (text, whole) in
            [("42.0", Some(42)), ("-1e3", Some(-1000)), ("0", Some(0)), ("1.5", None), ("1e19", None)]
        {
            assert_eq!(Decimal::parse(text).unwrap().as_i64(), whole, "{text}");
        }
        assert_ne!(Decimal::parse("9007199254740993"), Decimal::of(RawBsonRef::Double(9007199254740992.0)));
        for none in ["", "-", "007", "1.", ".5", "+1", "1e", "NaN", "Infinity", "0x1", "1e99999999999"] {
            assert_eq!(Decimal::parse(none), None, "{none}");
        }
    }
}
