//! A bundle whose recording is raw pages: the same as the text of the same buffer.

use std::fs;
use std::path::{Path, PathBuf};

use vmaplens::event::EventKind;
use vmaplens::log::Log;
use vmaplens::source::{Input, Reading, open_log};

/// Recordings with their text, made for the parser's tests.
fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("parsers/tests/data/dat/pages/amd64-612")
}

fn open(path: &Path) -> Log {
    open_log(&Input::Path(path.to_owned()), &Reading::default()).expect("readable")
}

/// What every form of a recording holds, as text shows it.
fn events(log: &Log) -> Vec<String> {
    let us = |ns: u64| (ns + 500) / 1000;
    let shown = log.events.iter().filter_map(|event| {
        let kind = match event.kind {
            EventKind::Alloc { addr, size, align, failed, .. } => format!("{addr:?} {size} {align} {failed}"),
            EventKind::Free { .. } | EventKind::Purge { .. } => format!("{:?}", event.kind),
            _ => return None,
        };
        Some(format!("{} {} {kind}", us(event.at.0), event.cpu))
    });
    shown.collect()
}

#[test]
fn raw_pages_of_a_bundle_are_its_recording() {
    let folder = std::env::temp_dir().join(format!("vmaplens-pages-{}", std::process::id()));
    for inside in ["events.pages", "formats/vmalloc"] {
        fs::create_dir_all(folder.join(inside)).expect("a folder");
    }
    let copy = |from: &str, to: &str| fs::copy(samples().join(from), folder.join(to)).expect("copied");
    for cpu in 0..2 {
        copy(&format!("a.raw{cpu}.zst"), &format!("events.pages/cpu{cpu}.zst"));
    }
    for event in ["alloc_vmap_area", "free_vmap_area_noflush", "purge_vmap_area_lazy", "kernel_stack", "print"] {
        copy(&format!("fmt.{event}"), &format!("formats/vmalloc/{event}"));
    }
    copy("header_page", "header_page");
    copy("saved_cmdlines", "saved_cmdlines");
    let manifest = br#"{"schema":"vmaplens.bundle/1","kernel":{"release":"6.12.1"},"trace":{"member":"events.pages/","clock":"local"}}"#;
    fs::write(folder.join("manifest.json"), manifest).expect("written");

    let pages = open(&folder);
    let text = open(&samples().join("a.text.zst"));
    assert!(!events(&text).is_empty());
    assert_eq!(events(&pages), events(&text));
    assert_eq!((pages.origin.kernel.as_deref(), pages.origin.clock), (Some("6.12.1"), text.origin.clock));

    // Without the layout of the pages there is nothing to read.
    fs::remove_file(folder.join("header_page")).expect("removed");
    let error = open_log(&Input::Path(folder.clone()), &Reading::default()).expect_err("no layout");
    assert!(error.to_string().contains("laid out"), "{error}");
    fs::remove_dir_all(&folder).expect("removed");
}
