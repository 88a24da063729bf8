package import Runtime

/// An ``HTTPClient`` for one store, behind a circuit breaker. Belongs to the client's loop.
package final class GuardedHTTPClient: @unchecked Sendable {
    /// Why there is no answer.
    package enum Failure: Error, Equatable, Sendable {
        /// The breaker is open: nothing was sent.
        case breakerOpen(retryAfter: Duration)
        case http(HTTPClientError)
    }

    package let client: HTTPClient
    private var breaker: CircuitBreaker

    package init(client: HTTPClient, breaker: CircuitBreaker.Configuration) {
        self.client = client
        self.breaker = CircuitBreaker(breaker)
    }

    package var loop: EventLoop { client.loop }

    package var breakerState: CircuitBreaker.State {
        breaker.state(now: monotonicNanoseconds())
    }

    /// The time until the open breaker lets a probe through; nil when it is not open.
    package var breakerRetryAfter: Duration? {
        breaker.retryAfter(now: monotonicNanoseconds())
    }

    /// Sends a request unless the breaker is open. On the loop.
    ///
    /// Answers 502, 503 and 504 count as failures of the store, every other answer as a success.
    package func send(_ request: HTTPClientRequest) async throws(Failure) -> HTTPClientResponse {
        loop.preconditionOnLoop()
        let ticket: CircuitBreaker.Ticket
        switch breaker.admit(now: monotonicNanoseconds()) {
        case .admitted(let admitted): ticket = admitted
        case .refused(let retryAfter): throw .breakerOpen(retryAfter: retryAfter)
        }
        do throws(HTTPClientError) {
            let response = try await client.send(request)
            record(ticket, isFailure: (502...504).contains(response.status))
            return response
        } catch {
            switch error {
            case .unreachable, .timedOut, .connectionLost:
                record(ticket, isFailure: true)
            case .responseTooLarge:
                record(ticket, isFailure: false)
            case .invalidRequest, .overloaded, .cancelled:
                breaker.recordAbandoned(ticket, now: monotonicNanoseconds())
            }
            throw .http(error)
        }
    }

    private func record(_ ticket: CircuitBreaker.Ticket, isFailure: Bool) {
        if isFailure {
            let random = Double.random(in: 0..<1)
            breaker.recordFailure(ticket, now: monotonicNanoseconds(), random: random)
        } else {
            breaker.recordSuccess(ticket)
        }
    }
}
