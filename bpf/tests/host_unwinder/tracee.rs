//! A program under ptrace: its registers, memory and mappings, one instruction at a time.

use std::{
    fs::File,
    io,
    os::unix::{fs::FileExt, process::CommandExt},
    process::{Child, Command, Stdio},
};

use infrared_abi::ir_registers;

use crate::support::mappings::{Mapping, mappings_of};

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Stepped,
    /// A signal waits to be delivered by the next step.
    Signal(i32),
    Exited(i32),
}

#[derive(Debug)]
pub(crate) struct Tracee {
    child: Child,
    memory: File,
}

impl Tracee {
    /// Starts `command`, and stops it before its first instruction. The calling thread is the tracer.
    pub(crate) fn start(mut command: Command) -> Self {
        command.env_clear().stdout(Stdio::null());
        // SAFETY: both are plain system calls, allowed between fork and exec.
        unsafe {
            command.pre_exec(|| {
                if libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) < 0
                    || libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) < 0
                {
                    return Err(io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        // exec has succeeded: the address space is the new one.
        let memory = File::open(format!("/proc/{}/mem", child.id())).unwrap();
        let tracee = Self { child, memory };
        assert_eq!(tracee.wait(), Step::Stepped, "an exec stops the tracee");
        tracee
    }

    fn pid(&self) -> libc::pid_t {
        self.child.id() as libc::pid_t
    }

    fn wait(&self) -> Step {
        let mut status = 0;
        // SAFETY: status outlives the call.
        let waited = unsafe { libc::waitpid(self.pid(), &raw mut status, 0) };
        assert_eq!(waited, self.pid(), "waitpid: {}", io::Error::last_os_error());
        if libc::WIFEXITED(status) {
            return Step::Exited(libc::WEXITSTATUS(status));
        }
        assert!(libc::WIFSTOPPED(status), "the tracee was killed: status {status:#x}");
        match libc::WSTOPSIG(status) {
            libc::SIGTRAP => Step::Stepped,
            signal => Step::Signal(signal),
        }
    }

    /// Runs one instruction, or enters the handler of `signal` if it is not 0.
    pub(crate) fn step(&self, signal: i32) -> Step {
        // SAFETY: PTRACE_SINGLESTEP takes no pointer that the kernel follows.
        let result = unsafe {
            libc::ptrace(libc::PTRACE_SINGLESTEP, self.pid(), 0, libc::c_long::from(signal))
        };
        assert_eq!(result, 0, "PTRACE_SINGLESTEP: {}", io::Error::last_os_error());
        self.wait()
    }

    /// All user registers, the number of the system call that is being left, and the unwinder's view of them.
    pub(crate) fn registers(&self) -> ir_registers {
        // SAFETY: an all-zero structure of integers is valid; the kernel fills it.
        let mut r: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        // SAFETY: r has room for the registers and outlives the call.
        let result = unsafe { libc::ptrace(libc::PTRACE_GETREGS, self.pid(), 0, &raw mut r) };
        assert_eq!(result, 0, "PTRACE_GETREGS: {}", io::Error::last_os_error());
        ir_registers {
            general: [
                r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11,
                r.r12, r.r13, r.r14, r.r15,
            ],
            pc: r.rip,
            thread_pointer: r.fs_base,
        }
    }

    /// Memory at `address`; shorter than asked for where a mapping ends.
    pub(crate) fn read(&self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let read = self.memory.read_at(&mut bytes, address).unwrap_or(0);
        bytes.truncate(read);
        bytes
    }

    pub(crate) fn word(&self, address: u64) -> Option<u64> {
        Some(u64::from_ne_bytes(self.read(address, 8).try_into().ok()?))
    }

    pub(crate) fn mappings(&self) -> Vec<Mapping> {
        mappings_of(self.child.id())
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        // Already gone after a test that passed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
