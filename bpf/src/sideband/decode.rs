//! Decodes perf's non-sample records (`include/uapi/linux/perf_event.h`). Pure.

use infrared_abi::read;
use perf_event_open_sys::bindings as perf;

/// What happened to a process. Pids and tids are those of our pid namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SidebandEvent {
    Fork {
        pid: u32,
        tid: u32,
        parent_pid: u32,
    },
    Exit {
        pid: u32,
        tid: u32,
    },
    /// `exec` is set where the name comes from an exec: the address space is new.
    Comm {
        pid: u32,
        tid: u32,
        comm: String,
        exec: bool,
    },
    /// An executable mapping came to be.
    Mmap {
        pid: u32,
        start: u64,
        length: u64,
        file_offset: u64,
        device: (u32, u32),
        inode: u64,
        path: Vec<u8>,
    },
    /// A piece of kernel code without a file came or went: a BPF program, a trampoline.
    KernelSymbol {
        address: u64,
        length: u32,
        name: String,
        is_gone: bool,
    },
    /// So many records were lost since a time: what is known of processes may be out of date. 0: some may have been.
    Lost {
        count: u64,
        since_ns: u64,
    },
}

/// An event with its time on `CLOCK_MONOTONIC`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SidebandRecord {
    pub time_ns: u64,
    pub event: SidebandEvent,
}

/// Every record ends in pid, tid (u32 each) and time (u64), as `sample_type` asks.
const TRAILER: usize = 16;
const HEADER: usize = 8;
/// `PERF_RECORD_KSYMBOL_FLAGS_UNREGISTER`
const UNREGISTERED: u16 = 1;

/// `None` for records of no interest, or damaged ones.
pub(super) fn decode(bytes: &[u8]) -> Option<SidebandRecord> {
    let kind: u32 = read(bytes)?;
    let misc = u16::from_ne_bytes([*bytes.get(4)?, *bytes.get(5)?]);
    let body = bytes.get(HEADER..bytes.len().checked_sub(TRAILER)?)?;
    let time_ns: u64 = read(bytes.get(bytes.len() - 8..)?)?;
    let event = match kind {
        perf::PERF_RECORD_FORK => SidebandEvent::Fork {
            pid: word(body, 0)?,
            parent_pid: word(body, 1)?,
            tid: word(body, 2)?,
        },
        perf::PERF_RECORD_EXIT => SidebandEvent::Exit { pid: word(body, 0)?, tid: word(body, 2)? },
        perf::PERF_RECORD_COMM => SidebandEvent::Comm {
            pid: word(body, 0)?,
            tid: word(body, 1)?,
            comm: String::from_utf8_lossy(c_string(body.get(8..)?)).into_owned(),
            exec: u32::from(misc) & perf::PERF_RECORD_MISC_COMM_EXEC != 0,
        },
        perf::PERF_RECORD_MMAP2 => decode_mmap(body)?,
        perf::PERF_RECORD_KSYMBOL => SidebandEvent::KernelSymbol {
            address: read(body)?,
            length: word(body, 2)?,
            is_gone: u16::from_ne_bytes([*body.get(14)?, *body.get(15)?]) & UNREGISTERED != 0,
            name: String::from_utf8_lossy(c_string(body.get(16..)?)).into_owned(),
        },
        perf::PERF_RECORD_LOST => SidebandEvent::Lost { count: read(body.get(8..)?)?, since_ns: 0 },
        _ => return None,
    };
    Some(SidebandRecord { time_ns, event })
}

/// `pid, tid, addr, len, pgoff, maj, min, ino, ino_generation, prot, flags, filename`
fn decode_mmap(body: &[u8]) -> Option<SidebandEvent> {
    Some(SidebandEvent::Mmap {
        pid: word(body, 0)?,
        start: read(body.get(8..)?)?,
        length: read(body.get(16..)?)?,
        file_offset: read(body.get(24..)?)?,
        device: (word(body, 8)?, word(body, 9)?),
        inode: read(body.get(40..)?)?,
        path: c_string(body.get(64..)?).to_vec(),
    })
}

fn word(body: &[u8], index: usize) -> Option<u32> {
    read(body.get(index * 4..)?)
}

fn c_string(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u32, misc: u16, body: &[u8]) -> Vec<u8> {
        let size = (HEADER + body.len() + TRAILER) as u16;
        let trailer = [7u32.to_ne_bytes(), 8u32.to_ne_bytes()].concat();
        [
            &kind.to_ne_bytes()[..],
            &misc.to_ne_bytes(),
            &size.to_ne_bytes(),
            body,
            &trailer,
            &99u64.to_ne_bytes(),
        ]
        .concat()
    }

    #[test]
    fn a_mapping_is_told_with_its_file() {
        let mut body = Vec::new();
        for word in [5u32, 6] {
            body.extend(word.to_ne_bytes());
        }
        for long in [0x1000u64, 0x2000, 0x3000] {
            body.extend(long.to_ne_bytes());
        }
        for word in [8u32, 1] {
            body.extend(word.to_ne_bytes());
        }
        for long in [42u64, 0, 0] {
            body.extend(long.to_ne_bytes());
        }
        body.extend(b"/lib/x.so\0\0\0\0\0\0\0");
        let decoded = decode(&record(perf::PERF_RECORD_MMAP2, 0, &body)).unwrap();
        let path = b"/lib/x.so".to_vec();
        let event = SidebandEvent::Mmap {
            pid: 5,
            start: 0x1000,
            length: 0x2000,
            file_offset: 0x3000,
            device: (8, 1),
            inode: 42,
            path,
        };
        assert_eq!(decoded, SidebandRecord { time_ns: 99, event });
    }

    #[test]
    fn a_bpf_program_is_told_when_it_comes_and_when_it_goes() {
        for (flags, is_gone) in [(0u16, false), (1, true)] {
            let body = [
                &0xffff_ffff_c000_1000u64.to_ne_bytes()[..],
                &0x80u32.to_ne_bytes(),
                &1u16.to_ne_bytes(),
                &flags.to_ne_bytes(),
                b"bpf_prog_1234_alpha\0\0\0\0\0",
            ]
            .concat();
            let decoded = decode(&record(perf::PERF_RECORD_KSYMBOL, 0, &body)).unwrap();
            let name = "bpf_prog_1234_alpha".to_owned();
            let (address, length) = (0xffff_ffff_c000_1000, 0x80);
            assert_eq!(
                decoded.event,
                SidebandEvent::KernelSymbol { address, length, name, is_gone }
            );
        }
    }

    #[test]
    fn an_exec_is_told_from_a_renaming() {
        let body = [&3u32.to_ne_bytes()[..], &4u32.to_ne_bytes(), b"gzip\0\0\0\0"].concat();
        for (misc, exec) in [(0, false), (perf::PERF_RECORD_MISC_COMM_EXEC as u16, true)] {
            let decoded = decode(&record(perf::PERF_RECORD_COMM, misc, &body)).unwrap();
            assert_eq!(
                decoded.event,
                SidebandEvent::Comm { pid: 3, tid: 4, comm: "gzip".into(), exec }
            );
        }
    }

    #[test]
    fn damaged_records_are_passed_over() {
        let whole = record(perf::PERF_RECORD_MMAP2, 0, &[0; 72]);
        for length in 0..HEADER + TRAILER {
            assert_eq!(decode(&whole[..length]), None);
        }
    }
}
