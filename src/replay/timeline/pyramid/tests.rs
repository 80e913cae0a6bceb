//! Against a scan of all states.

use proptest::prelude::*;

use super::*;

/// The extremes of states `from..to` once they are widened to whole buckets.
fn naive(states: &[Values], metric: Metric, (from, to): (usize, usize), bucket: usize) -> Option<Extremes> {
    let (from, to) = (from / bucket * bucket, (to.min(states.len()).div_ceil(bucket) * bucket).min(states.len()));
    let mut values = states.get(from..to)?.iter().map(|values| values[metric as usize]);
    let mut found = Extremes::of(values.next()?);
    values.for_each(|value| found.add(value));
    Some(found)
}

/// A walk: mostly small steps, now and then a jump beyond 32 bits.
fn walk(n: usize, seed: u64) -> Vec<Values> {
    let mut random = seed | 1;
    let mut values: Values = [1000; METRICS.len()];
    let mut step = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        for (place, value) in values.iter_mut().enumerate() {
            let turn = random >> (place * 7);
            *value = match turn % 61 {
                0 => turn >> (turn % 40),
                odd if odd % 2 == 1 => value.saturating_add(turn % 9),
                _ => value.saturating_sub(turn % 9),
            };
        }
        values
    };
    (0..n).map(|_| step()).collect()
}

fn of(states: &[Values]) -> Pyramid {
    let mut pyramid = Pyramid::default();
    for values in states {
        pyramid.push(values);
    }
    pyramid.finish();
    pyramid
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_stretch_is_told_as_a_scan_tells_it(
        n in prop_oneof![1_usize..40, 1_usize..5_000, MAX_BUCKETS - 3..MAX_BUCKETS * 5],
        seed in any::<u64>(),
        stretches in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..20),
        rewritten in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
    ) {
        let mut states = walk(n, seed);
        let mut pyramid = of(&states);
        prop_assert_eq!(pyramid.len(), n);
        let bucket = pyramid.bucket_states();
        prop_assert!(bucket == 1 || n >= MAX_BUCKETS);
        prop_assert!(n.div_ceil(bucket) <= MAX_BUCKETS);
        let check = |pyramid: &Pyramid, states: &[Values]| {
            for (a, b) in &stretches {
                let (a, b) = (a.index(n), b.index(n + 2));
                for metric in METRICS {
                    let wanted = (a < b).then(|| naive(states, metric, (a, b), bucket)).flatten();
                    prop_assert_eq!(pyramid.extremes(metric, a..b), wanted, "{:?} of {}..{} by {}", metric, a, b, bucket);
                }
            }
            Ok(())
        };
        check(&pyramid, &states)?;
        // A stretch becomes another one.
        let (a, b) = (rewritten.0.index(n), rewritten.1.index(n + 1));
        let others = walk(n, seed.rotate_left(17));
        states[a.min(b)..b].copy_from_slice(&others[a.min(b)..b]);
        for range in pyramid.whole_buckets(std::iter::once(a.min(b)..b)) {
            for state in range {
                pyramid.again(state, &states[state]);
            }
        }
        pyramid.finish();
        check(&pyramid, &states)?;
        // And one metric as a whole.
        for (state, values) in states.iter_mut().enumerate() {
            values[Metric::Tables as usize] = others[state][0];
            pyramid.metric_again(Metric::Tables, state, others[state][0]);
        }
        pyramid.finish();
        check(&pyramid, &states)?;
    }
}

#[test]
fn ten_million_states_take_less_than_two_bytes_each() {
    let mut pyramid = Pyramid::default();
    // Fragmentation and the largest hole are numbers of more than 32 bits at worst.
    let n = 10_000_000_u64;
    for state in 0..n {
        let wide = if state % 1000 == 0 { 1 << 45 } else { state };
        pyramid.push(&[state % 7000, state % 90, state % 800, state % 3000, wide, state % 1_000_000_000, state / 4000]);
    }
    pyramid.finish();
    assert_eq!(pyramid.bucket_states(), 64);
    assert!(pyramid.heap_bytes() < 2 * n, "{} bytes", pyramid.heap_bytes());
}

#[test]
fn stretches_become_whole_buckets_and_are_joined() {
    let pyramid = of(&walk(MAX_BUCKETS * 3, 7));
    assert_eq!(pyramid.bucket_states(), 4);
    let buckets = pyramid.whole_buckets([9..10, 3..5, 100..101, 7..8].into_iter());
    assert_eq!(buckets, [0..12, 100..104]);
}
