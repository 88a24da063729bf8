internal import Postgres
internal import Runtime

/// Empties what all lanes have done, and forgets lanes that are not configured any more: they would
/// hold the outbox back. Every process may run one.
final class OutboxHousekeeper: @unchecked Sendable {
    private static let period = Duration.seconds(10)
    private static let timeout = Duration.seconds(5)
    private static let forget = Statement(
        "outbox_forget_lane", "SELECT fourfold.forget_lane($1, $2)")

    private let loop: EventLoop
    private let postgres: PostgresClient
    private let absentLanes: [(pack: String, lane: LaneName)]
    private var timer: LoopTimer?
    private var isRunning = false

    init(
        loop: EventLoop, postgres: PostgresClient, absentLanes: [(pack: String, lane: LaneName)]
    ) {
        self.loop = loop
        self.postgres = postgres
        self.absentLanes = absentLanes
    }

    func start() {
        timer = loop.schedule(every: OutboxHousekeeper.period) { [weak self] in
            guard let self, !isRunning else { return }
            isRunning = true
            loop.spawn {
                await self.run()
                self.isRunning = false
            }
        }
    }

    func stop() {
        timer?.cancel()
        timer = nil
    }

    /// A failure is only a delay: the next run does the same.
    private func run() async {
        for (pack, lane) in absentLanes {
            _ = try? await postgres.query(
                OutboxHousekeeper.forget, [.text(pack), .text(lane.rawValue)],
                deadline: .after(OutboxHousekeeper.timeout))
        }
        try? await postgres.withConnection(deadline: .after(OutboxHousekeeper.timeout)) {
            connection in
            try await connection.transaction {
                _ = try await connection.query(OutboxHousekeeper.lockTimeout)
                _ = try await connection.query(OutboxHousekeeper.maintain)
            }
        }
    }

    /// A slot that a writer holds is emptied another time: writers do not wait for us.
    private static let lockTimeout = Statement(
        "outbox_lock_timeout", "SELECT set_config('lock_timeout', '100ms', true)")
    private static let maintain = Statement(
        "outbox_maintain", "SELECT fourfold.maintain_outbox()")
}
