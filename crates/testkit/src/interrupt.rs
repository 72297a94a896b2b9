//! Ctrl-C for a program that a test has started, but not for the test itself.

use std::io;
use std::process::{Child, Command};

/// Starts a program so that [`interrupt`] can reach it. On Windows the test gets a console of its own, in which
/// everything that it starts later is interrupted together: a test program with one test is the place for it.
pub fn start_interruptible(command: &mut Command) -> io::Result<Child> {
    #[cfg(windows)]
    console::open();
    command.spawn()
}

/// Sends SIGINT to a program that [`start_interruptible`] prepared.
#[cfg(unix)]
pub fn interrupt(program: &Child) {
    let sent = Command::new("kill").args(["-INT", &program.id().to_string()]).status().expect("`kill` runs");
    assert!(sent.success(), "`kill -INT {}` failed", program.id());
}

/// Presses Ctrl-C in the console of a program that [`start_interruptible`] prepared.
#[cfg(windows)]
pub fn interrupt(_program: &Child) {
    console::press_ctrl_c();
}

#[cfg(windows)]
mod console {
    use std::io;
    use std::sync::Once;

    #[expect(unsafe_code, reason = "no safe library presses a key in a console; the calls take numbers alone")]
    mod system {
        unsafe extern "system" {
            pub safe fn FreeConsole() -> i32;
            pub safe fn AllocConsole() -> i32;
            pub safe fn GetStdHandle(which: u32) -> isize;
            pub safe fn SetStdHandle(which: u32, handle: isize) -> i32;
            pub safe fn GenerateConsoleCtrlEvent(event: u32, group: u32) -> i32;
        }
    }

    /// Gives this process a console of its own, once.
    pub fn open() {
        static OPENED: Once = Once::new();
        OPENED.call_once(|| {
            // Standard input, output and error by number; the new console would replace them.
            let streams = [-10_i32, -11, -12].map(|which| which.cast_unsigned());
            let handles = streams.map(|which| (which, system::GetStdHandle(which)));
            // There may be none to leave.
            let _ = system::FreeConsole();
            assert_ne!(system::AllocConsole(), 0, "no console: {}", io::Error::last_os_error());
            for (which, handle) in handles {
                assert_ne!(system::SetStdHandle(which, handle), 0, "{}", io::Error::last_os_error());
            }
            // The test hears its own Ctrl-C, and goes on.
            ctrlc::set_handler(|| {}).expect("nothing else here handles interrupts");
        });
    }

    /// Goes to every program of the console. A single program could only get Ctrl-Break, which wine does not support.
    pub fn press_ctrl_c() {
        const CTRL_C: u32 = 0;
        assert_ne!(system::GenerateConsoleCtrlEvent(CTRL_C, 0), 0, "{}", io::Error::last_os_error());
    }
}
