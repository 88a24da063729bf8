internal import Runtime

/// Opens connections of a client and remembers whether the server can be reached.
final class ConnectionFactory {
    let loop: EventLoop
    let configuration: PostgresConfiguration
    private var gate: ConnectionGate
    private(set) var lastFailure: ConnectFailure?
    private(set) var openedCount = 0

    init(loop: EventLoop, configuration: PostgresConfiguration) {
        self.loop = loop
        self.configuration = configuration
        let limits = configuration.limits
        gate = ConnectionGate(delayMin: limits.backoffMin, delayMax: limits.backoffMax)
    }

    /// Non-nil while the last attempt has failed: callers without a connection fail at once.
    var unreachable: PostgresError? {
        gate.isFailing ? .unreachable(retryAfter: retryAfter) : nil
    }

    var retryAfter: Duration { gate.delay(now: monotonicNanoseconds()) }

    /// Starts an attempt. The caller keeps to ``retryAfter``.
    func open(
        _ role: ConnectionRole, completion: @escaping ConnectAttempt.Completion
    ) -> ConnectAttempt? {
        let options: ConnectionOptions
        do {
            options = try ConnectionOptions(configuration, role: role)
        } catch {
            finish(.failure(error), completion)
            return nil
        }
        let attempt = ConnectAttempt(
            loop: loop, options: options, timeout: configuration.limits.connectTimeout
        ) { [self] outcome in finish(outcome, completion) }
        attempt.start()
        return attempt
    }

    private func finish(
        _ outcome: Result<Session, ConnectFailure>, _ completion: ConnectAttempt.Completion
    ) {
        switch outcome {
        case .success:
            openedCount += 1
            gate.succeeded()
        case .failure(let failure):
            lastFailure = failure
            gate.failed(now: monotonicNanoseconds(), jitter: .random(in: 0..<1))
        }
        completion(outcome)
    }
}
