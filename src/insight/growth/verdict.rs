//! [`judge`]: what the course of a figure looks like.
//!
//! What comes and goes all the time (stacks, what waits for a purge) hides what only comes. But it leaves the lowest
//! values alone: so it is *floors* that are compared, the lowest value of each of eight parts of the snapshots.
//!
//! | verdict | rule, the first that holds |
//! | --- | --- |
//! | too few | one snapshot |
//! | steady | every value is the same |
//! | gone | areas in the first snapshot, none in the last |
//! | grows steadily | five snapshots or more; floors of n = min(8, snapshots) parts; of all pairs of floors those that rise outnumber those that fall by 10, 13, 17 or 20 (n = 5, 6, 7, 8: chance alone does that less than once in a hundred times); floors rise at three seams or more; at least a quarter of the rise is in the second half |
//! | new | no area in the first snapshot, and none without from where it appears |
//! | too few | fewer than five snapshots |
//! | shrinks | the mirror image of "grows steadily", with the highest value of each part |
//! | plateau | the lowest value of the last two parts is above all of the first two and keeps half of the largest rise; once as high as that, it does not fall back to where it came from |
//! | shrinks | the mirror image of "plateau" |
//! | sawtooth | anything else: up and down, and nothing of it stays |

use super::Course;

/// Parts that snapshots are divided into, if there are as many.
pub const SEGMENTS: usize = 8;

/// Fewer snapshots than this show a trend by chance too often: four rise in one case of 24.
pub const FEWEST: usize = 5;

/// By how many the rising pairs of `n` levels have to outnumber the falling ones, from `n` = [`FEWEST`] on: Kendall's
/// statistic, at which chance is below 1 %.
const ENOUGH: [i32; SEGMENTS - FEWEST + 1] = [10, 13, 17, 20];

/// Seams between parts at which it has to rise: what rises once or twice is a plateau.
const SEAMS: usize = 3;

/// What a course looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No change.
    Steady,
    /// More and more.
    Grows {
        /// The floor of the first part.
        from: u64,
        /// That of the last.
        to: u64,
        /// Seams between parts at which the floor rises.
        rises: usize,
        /// Parts.
        parts: usize,
    },
    /// Grew, and stays there.
    Plateau {
        /// The highest value of the first two parts.
        from: u64,
        /// The lowest of the last two.
        to: u64,
    },
    /// Up and down, and nothing of it stays.
    Sawtooth {
        /// The lowest value.
        low: u64,
        /// The highest.
        high: u64,
        /// Falls of at least half of what is between.
        falls: usize,
    },
    /// Less and less, or less and stays there.
    Shrinks {
        /// Where it comes from.
        from: u64,
        /// Where it is now.
        to: u64,
    },
    /// There was nothing in the first snapshot.
    New {
        /// The snapshot it is first seen in, from 0.
        at: usize,
    },
    /// There is nothing in the last snapshot.
    Gone {
        /// The first snapshot without it, from 0.
        at: usize,
    },
    /// Changed, but too few snapshots to tell.
    TooFew {
        /// Steps up.
        rises: usize,
        /// Steps down.
        falls: usize,
    },
}

impl Verdict {
    /// Every verdict's word, in the order of the rules.
    pub const WORDS: [&str; 8] =
        ["steady", "gone", "grows steadily", "new", "too few", "shrinks", "grew and stays", "sawtooth"];

    /// Its word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Grows { .. } => "grows steadily",
            Self::Plateau { .. } => "grew and stays",
            Self::Sawtooth { .. } => "sawtooth",
            Self::Shrinks { .. } => "shrinks",
            Self::New { .. } => "new",
            Self::Gone { .. } => "gone",
            Self::TooFew { .. } => "too few",
        }
    }
}

/// Judges a figure by its values, and by the areas it is about, over the same snapshots.
pub fn judge(values: &Course, areas: &Course) -> Verdict {
    let n = values.n_snapshots();
    if n == 1 {
        return Verdict::TooFew { rises: 0, falls: 0 };
    }
    if 0 < areas.first() && areas.last() == 0 {
        return Verdict::Gone { at: since(areas, |n_areas| n_areas == 0) };
    }
    if values.runs().nth(1).is_none() && areas.first() != 0 {
        return Verdict::Steady;
    }
    if FEWEST <= n
        && let Some(grows) = grows(&values.floors(SEGMENTS))
    {
        return grows;
    }
    if areas.first() == 0 && 0 < areas.last() && areas.runs().nth(2).is_none_or(|_| stays(areas)) {
        return Verdict::New { at: since(areas, |n_areas| 0 < n_areas) };
    }
    if n < FEWEST {
        let (rises, falls) = steps(values);
        return Verdict::TooFew { rises, falls };
    }
    let (floors, ceilings) = (values.floors(SEGMENTS), values.ceilings(SEGMENTS));
    // Upside down, what shrinks grows.
    let (sunk, raised): (Vec<u64>, Vec<u64>) = (mirrored(&ceilings), mirrored(&floors));
    if let Some(Verdict::Grows { from, to, .. }) = grows(&sunk) {
        return Verdict::Shrinks { from: u64::MAX - from, to: u64::MAX - to };
    }
    let all: Vec<u64> = values.runs().map(|(_, value)| value).collect();
    if let Some((from, to)) = settles(&floors, &ceilings, &all) {
        return Verdict::Plateau { from, to };
    }
    if let Some((from, to)) = settles(&sunk, &raised, &mirrored(&all)) {
        return Verdict::Shrinks { from: u64::MAX - from, to: u64::MAX - to };
    }
    sawtooth(values)
}

/// Is there, and stays there.
fn stays(areas: &Course) -> bool {
    areas.runs().skip(1).all(|(_, n_areas)| 0 < n_areas)
}

/// The first snapshot from which on it holds to the end.
fn since(course: &Course, holds: impl Fn(u64) -> bool) -> usize {
    let mut at = 0;
    let mut held = false;
    for (from, value) in course.runs() {
        if holds(value) && !held {
            at = from;
        }
        held = holds(value);
    }
    at
}

fn mirrored(levels: &[u64]) -> Vec<u64> {
    levels.iter().map(|level| u64::MAX - level).collect()
}

/// The rule of "grows steadily", of levels.
fn grows(levels: &[u64]) -> Option<Verdict> {
    let enough = *ENOUGH.get(levels.len().checked_sub(FEWEST)?)?;
    let (&from, &to) = (levels.first()?, levels.last()?);
    let middle = levels[levels.len() / 2];
    let mut outnumber = 0;
    for (n, later) in levels.iter().enumerate() {
        outnumber += levels[..n].iter().map(|earlier| later.cmp(earlier) as i32).sum::<i32>();
    }
    let rises = levels.windows(2).filter(|pair| pair[0] < pair[1]).count();
    let rise = to.checked_sub(from)?;
    // Of a ramp that has come to an end nearly all of the rise is in the first half.
    let goes_on = rise / 4 < to.saturating_sub(middle) || rise < 4 && middle < to;
    (enough <= outnumber && SEAMS <= rises && goes_on).then_some(Verdict::Grows {
        from,
        to,
        rises,
        parts: levels.len(),
    })
}

/// The rule of "plateau": where it comes from, and where it stays.
fn settles(floors: &[u64], ceilings: &[u64], values: &[u64]) -> Option<(u64, u64)> {
    let from = *ceilings[..2.min(ceilings.len())].iter().max()?;
    let to = *floors[floors.len().checked_sub(2)?..].iter().min()?;
    let rise = to.checked_sub(from).filter(|rise| 0 < *rise)?;
    let largest = ceilings.iter().max()?.checked_sub(from)?;
    let falls_back = values.iter().skip_while(|value| **value < to).any(|value| *value <= from);
    (largest / 2 <= rise && !falls_back).then_some((from, to))
}

fn steps(course: &Course) -> (usize, usize) {
    let values: Vec<u64> = course.runs().map(|(_, value)| value).collect();
    let rises = values.windows(2).filter(|pair| pair[0] < pair[1]).count();
    (rises, values.len() - 1 - rises)
}

fn sawtooth(values: &Course) -> Verdict {
    let all = || values.runs().map(|(_, value)| value);
    let (low, high) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
    let half = (high - low).div_ceil(2).max(1);
    let (mut falls, mut top, mut bottom, mut is_down) = (0, values.first(), values.first(), false);
    for value in all() {
        if is_down {
            bottom = bottom.min(value);
            if half <= value - bottom {
                (is_down, top) = (false, value);
            }
        } else {
            top = top.max(value);
            if half <= top - value {
                (is_down, bottom) = (true, value);
                falls += 1;
            }
        }
    }
    Verdict::Sawtooth { low, high, falls }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(values: &[u64]) -> Verdict {
        let course = Course::new(values).expect("values");
        judge(&course, &course)
    }

    #[test]
    fn every_rule_has_an_example() {
        for (values, word) in [
            (&[5][..], "too few"),
            (&[5, 5], "steady"),
            (&[5, 5, 5, 5, 5, 5], "steady"),
            (&[5, 0], "gone"),
            (&[5, 9, 0, 0], "gone"),
            (&[0, 5], "new"),
            (&[0, 0, 5, 5, 5, 5], "new"),
            (&[0, 1, 2, 3, 4], "grows steadily"),
            (&[5, 6], "too few"),
            (&[5, 6, 7, 8], "too few"),
            (&[5, 6, 7, 8, 9], "grows steadily"),
            (&[5, 6, 7, 8, 8], "grew and stays"),
            (&[9, 8, 7, 6, 5], "shrinks"),
            (&[9, 9, 9, 5, 5, 5], "shrinks"),
            (&[5, 5, 5, 9, 9, 9], "grew and stays"),
            (&[0, 4, 8, 12, 16, 17, 17, 17, 17, 17, 17, 17], "new"),
            (&[1, 4, 8, 12, 16, 17, 17, 17, 17, 17, 17, 17], "grew and stays"),
            (&[1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4], "sawtooth"),
            (&[0, 5, 0, 5, 0, 5], "sawtooth"),
            (&[5, 5, 5, 9, 5, 5], "sawtooth"),
            (&[1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4], "grows steadily"),
            (&[1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3], "grew and stays"),
        ] {
            let verdict = verdict(values);
            assert_eq!(verdict.word(), word, "{values:?}: {verdict:?}");
            assert!(Verdict::WORDS.contains(&verdict.word()));
        }
    }

    #[test]
    fn verdicts_say_why() {
        assert_eq!(verdict(&[5, 6, 7, 8, 9]), Verdict::Grows { from: 5, to: 9, rises: 4, parts: 5 });
        assert_eq!(verdict(&[9, 9, 9, 5, 5, 4]), Verdict::Shrinks { from: 9, to: 5 });
        assert_eq!(verdict(&[1, 4, 1, 4, 1, 4]), Verdict::Sawtooth { low: 1, high: 4, falls: 2 });
        assert_eq!(verdict(&[3, 0, 3, 0, 0]), Verdict::Gone { at: 3 });
        assert_eq!(verdict(&[0, 0, 3, 4, 4, 4, 4]), Verdict::New { at: 2 });
    }

    #[test]
    fn chance_is_below_one_in_a_hundred() {
        // Every order of n different levels: those in which rising pairs outnumber falling ones by as many.
        for (n, &enough) in (FEWEST..).zip(&ENOUGH) {
            // counts[s]: orders of the first k levels with s falling pairs.
            let mut counts = vec![1_u64];
            for k in 2..=n {
                let mut next = vec![0; counts.len() + k - 1];
                for (s, count) in counts.iter().enumerate() {
                    (0..k).for_each(|more| next[s + more] += count);
                }
                counts = next;
            }
            let pairs = i32::try_from(n * (n - 1) / 2).expect("few");
            let found: u64 =
                (0..).zip(&counts).filter(|(falling, _)| enough <= pairs - 2 * falling).map(|(_, c)| c).sum();
            let all: u64 = counts.iter().sum();
            assert!(found * 100 < all, "{n} levels: {found} of {all}");
        }
    }
}
