import Testing

@testable import Postgres

@Suite("ConnectionGate")
struct ConnectionGateTests {
    @Test("delays double to their bound; attempts of one round count once; success resets")
    func delays() {
        var gate = ConnectionGate(delayMin: .milliseconds(100), delayMax: .milliseconds(400))
        var now: UInt64 = 1
        var delays: [Duration] = []
        for _ in 0..<4 {
            gate.failed(now: now, jitter: 1)
            gate.failed(now: now + 1, jitter: 1)
            delays.append(gate.delay(now: now))
            now += 1_000_000_000
        }
        #expect(delays == [100, 200, 400, 400].map { .milliseconds($0) })
        #expect(gate.isFailing)
        gate.succeeded()
        #expect(!gate.isFailing)
        #expect(gate.delay(now: 0) == .zero)
        gate.failed(now: now, jitter: 0)
        #expect(gate.delay(now: now) == .milliseconds(50))
    }
}
