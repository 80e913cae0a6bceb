//! Words that may be meant by one that is none.

/// More than this many letters apart are different words.
const MOST: usize = 3;
/// Words that are named.
const NAMED: usize = 4;

/// The nearest of `words`, nearest first; those that begin with what was typed count as near.
pub(super) fn near(typed: &str, words: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let typed = typed.to_ascii_lowercase();
    let cost = |word: &str| {
        let apart = apart(typed.as_bytes(), word.as_bytes());
        let begins = typed.len() > 1 && word.starts_with(&typed);
        let most = MOST.min(typed.len().max(2) / 2);
        (begins || apart <= most).then_some(if begins { 0 } else { apart })
    };
    let mut found: Vec<(usize, &'static str)> = words.filter_map(|word| Some((cost(word)?, word))).collect();
    found.sort_by_key(|&(cost, _)| cost);
    found.into_iter().take(NAMED).map(|(_, word)| word).collect()
}

/// Letters to add, drop, change or exchange with the next to make one word of the other.
fn apart(one: &[u8], other: &[u8]) -> usize {
    let width = other.len() + 1;
    let mut rows = vec![0; width * (one.len() + 1)];
    for (at, first) in rows.iter_mut().take(width).enumerate() {
        *first = at;
    }
    for i in 1..=one.len() {
        rows[i * width] = i;
        for j in 1..=other.len() {
            let here = |i: usize, j: usize| rows[i * width + j];
            let same = usize::from(one[i - 1] != other[j - 1]);
            let mut least = (here(i - 1, j) + 1).min(here(i, j - 1) + 1).min(here(i - 1, j - 1) + same);
            if 1 < i && 1 < j && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(here(i - 2, j - 2) + 1);
            }
            rows[i * width + j] = least;
        }
    }
    rows[width * (one.len() + 1) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found() {
        let words = || ["largest_hole", "lazy", "fragmentation", "failed", "free"].into_iter();
        assert_eq!(near("lzay", words()), ["lazy"]);
        assert_eq!(near("largest", words()), ["largest_hole"]);
        assert_eq!(near("fragmantation", words()), ["fragmentation"]);
        assert!(near("xyz", words()).is_empty());
        assert_eq!(apart(b"", b"abc"), 3);
    }
}
