//! The times that zips store: years from 1980 to 2107, seconds in steps of two, no time zone. Here they are UTC.

const DAY: u64 = 86_400;
/// 1980-01-01 and the end of 2107, in seconds since 1970.
const FIRST: u64 = 315_532_800;
const LAST: u64 = 4_354_819_198;

/// Date and time; the nearest that can be expressed.
pub(crate) fn dos_of_seconds(seconds: u64) -> (u16, u16) {
    let seconds = seconds.clamp(FIRST, LAST);
    let (year, month, day) = date_of_days(seconds / DAY);
    let second = seconds % DAY;
    let time = (second / 3600) << 11 | (second / 60 % 60) << 5 | (second % 60 / 2);
    ((((year - 1980) << 9) | month << 5 | day) as u16, time as u16)
}

/// Seconds since 1970. Fields out of range, which some writers leave at zero, carry over.
pub(crate) fn seconds_of_dos(date: u16, time: u16) -> u64 {
    let (date, time) = (u64::from(date), u64::from(time));
    let (year, month, day) = (1980 + (date >> 9), (date >> 5 & 15).clamp(1, 12), (date & 31).max(1));
    days_of_date(year, month, day) * DAY + (time >> 11) * 3600 + (time >> 5 & 63) * 60 + (time & 31) * 2
}

/// Days since 1970. Years are counted from March here, so that the leap day is their last.
fn days_of_date(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

fn date_of_days(days: u64) -> (u64, u64, u64) {
    // At most one too many, since no year is longer than 366 days.
    let mut year = 1970 + days / 365;
    while days_of_date(year, 1, 1) > days {
        year -= 1;
    }
    let month = (1..=12).rev().find(|month| days_of_date(year, *month, 1) <= days).unwrap_or(1);
    (year, month, days - days_of_date(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_to_two_seconds_from_1980_to_2107() {
        let cases = [
            // (seconds, date, time, seconds again)
            (0, 0x0021, 0, FIRST),
            (FIRST, 0x0021, 0, FIRST),
            (951_782_399, 40 * 512 / 2 + 2 * 32 + 28, 23 << 11 | 59 << 5 | 29, 951_782_398), // 2000-02-28T23:59:59
            (951_782_400, 20 * 512 + 2 * 32 + 29, 0, 951_782_400),                           // 2000-02-29
            (1_735_689_599, 44 * 512 + 12 * 32 + 31, 23 << 11 | 59 << 5 | 29, 1_735_689_598), // the end of 2024
            (u64::MAX, 127 * 512 + 12 * 32 + 31, 23 << 11 | 59 << 5 | 29, LAST),
        ];
        for (seconds, date, time, again) in cases {
            assert_eq!(dos_of_seconds(seconds), (date, time), "for {seconds}");
            assert_eq!(seconds_of_dos(date, time), again, "for {seconds}");
        }
        for day in FIRST / DAY..LAST / DAY {
            let (date, time) = dos_of_seconds(day * DAY);
            assert_eq!(seconds_of_dos(date, time), day * DAY);
        }
        assert_eq!(seconds_of_dos(0, 0), FIRST, "no date at all");
        seconds_of_dos(u16::MAX, u16::MAX);
    }
}
