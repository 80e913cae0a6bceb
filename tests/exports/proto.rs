//! The Perfetto trace, taken apart by a reader that knows nothing but the wire format.

use std::collections::{HashMap, HashSet};

use vmaplens::export::perfetto::Perfetto;
use vmaplens::export::time_line;
use vmaplens::replay::Replay;

use super::{captures, name_of, replay_of};

/// A field: its number, and a number or bytes.
#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut bytes)),
            1 => {
                let (number, rest) = bytes.split_at(8);
                bytes = rest;
                Value::Number(u64::from_le_bytes(number.try_into().expect("eight bytes")))
            }
            2 => {
                let len = varint(&mut bytes) as usize;
                let (inner, rest) = bytes.split_at(len);
                bytes = rest;
                Value::Bytes(inner)
            }
            other => unreachable!("wire type {other}"),
        };
        fields.push((tag >> 3, value));
    }
    fields
}

fn number(fields: &[(u64, Value<'_>)], field: u64) -> Option<u64> {
    fields.iter().find_map(|(number, value)| match value {
        Value::Number(value) if *number == field => Some(*value),
        _ => None,
    })
}

fn bytes<'a>(fields: &[(u64, Value<'a>)], field: u64) -> Option<&'a [u8]> {
    fields.iter().find_map(|(number, value)| match value {
        Value::Bytes(value) if *number == field => Some(*value),
        _ => None,
    })
}

fn trace(replay: &Replay) -> Vec<u8> {
    let mut out = Vec::new();
    time_line::draw(replay, u64::MAX, &mut Perfetto::new(&mut out)).expect("written");
    out
}

#[test]
fn packets_describe_tracks_before_use_and_slices_are_closed() {
    for path in captures() {
        let replay = replay_of(&path);
        let what = name_of(&path);
        let out = trace(&replay);
        let packets: Vec<_> = fields(&out)
            .into_iter()
            .map(|(field, value)| {
                assert_eq!(field, 1, "{what}");
                match value {
                    Value::Bytes(packet) => fields(packet),
                    Value::Number(_) => panic!("{what}: no packet"),
                }
            })
            .collect();
        assert_eq!(number(&packets[0], 13), Some(1), "the first packet clears the state");
        let (mut known, mut depth, mut flows) =
            (HashSet::new(), HashMap::<u64, i32>::new(), HashMap::<u64, u32>::new());
        let (mut latest, mut lives) = (0, 0);
        for packet in &packets {
            assert_eq!(number(packet, 10), Some(1));
            if let Some(descriptor) = bytes(packet, 60) {
                let descriptor = fields(descriptor);
                let parent = number(&descriptor, 5);
                assert!(parent.is_none_or(|parent| known.contains(&parent)), "{what}");
                assert!(known.insert(number(&descriptor, 1).expect("a uuid")), "{what}");
                assert!(bytes(&descriptor, 2).is_some());
                continue;
            }
            let event = fields(bytes(packet, 11).expect("an event"));
            let track = number(&event, 11).expect("a track");
            assert!(known.contains(&track), "{what}: track {track}");
            let at = number(packet, 8).expect("a stamp");
            assert!(latest <= at, "{what}: time goes back");
            latest = at;
            let depth = depth.entry(track).or_default();
            match number(&event, 9) {
                Some(1) => {
                    lives += u64::from(*depth == 0);
                    *depth += 1;
                }
                Some(2) => *depth -= 1,
                Some(3) => {
                    if let Some(flow) = number(&event, 47) {
                        *flows.entry(flow).or_default() += 1;
                    }
                }
                Some(4) => assert!(number(&event, 30).is_some()),
                other => panic!("{what}: {other:?}"),
            }
            assert!((0..=2).contains(depth), "{what}: slices of a lane overlap");
        }
        assert!(depth.values().all(|&depth| depth == 0), "{what}");
        assert!(flows.values().all(|&n| n <= 2), "{what}: a flow joins an allocation and its free");
        let counts = replay.log().counts();
        assert!(counts.alloc - counts.failed <= lives, "{what}: {lives}");
    }
}
