internal import Glibc

/// Makes writing to a closed socket fail instead of ending the process.
func ignorePipeSignals() { signal(SIGPIPE, SIG_IGN) }
