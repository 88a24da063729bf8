internal import Postgres
internal import Runtime

/// The right to lead a lane, for one epoch. Belongs to a loop.
///
/// The lease counts as lost when the database says so, and also when it could not be renewed before
/// it ended by this process's own clock, which started before the database's.
final class LaneLease: @unchecked Sendable {
    let epoch: Int64
    private let pack: String
    private let lane: LaneName
    private let postgres: PostgresClient
    private let loop: EventLoop
    private let configuration: LaneConfiguration
    private var end: Deadline
    private var isLost = false
    private var timer: LoopTimer?

    private init(
        epoch: Int64, end: Deadline, pack: String, lane: LaneName, postgres: PostgresClient,
        loop: EventLoop, configuration: LaneConfiguration
    ) {
        self.epoch = epoch
        self.end = end
        self.pack = pack
        self.lane = lane
        self.postgres = postgres
        self.loop = loop
        self.configuration = configuration
    }

    /// Asks for the lease; nil when another process leads.
    static func claim(
        pack: String, lane: LaneName, store: String, holder: String, postgres: PostgresClient,
        loop: EventLoop, configuration: LaneConfiguration
    ) async throws(PostgresError) -> LaneLease? {
        let end = Deadline.after(configuration.lease)
        let result = try await postgres.query(
            LaneStatements.claim,
            [
                .text(pack), .text(lane.rawValue), .text(store), .text(holder),
                .double(configuration.lease.inSeconds),
            ], deadline: configuration.requestDeadline)
        guard result.rowCount > 0, let epoch = result.int(0, 0) else { return nil }
        let lease = LaneLease(
            epoch: epoch, end: end, pack: pack, lane: lane, postgres: postgres, loop: loop,
            configuration: configuration)
        lease.timer = loop.schedule(every: configuration.leaseRenewPeriod) { [weak lease] in
            guard let lease else { return }
            lease.loop.spawn { try? await lease.renew() }
        }
        return lease
    }

    func check() throws(LaneError) {
        if isLost || end.hasPassed { throw .leaseLost }
    }

    /// Asks the database.
    func renew() async throws(LaneError) {
        try check()
        let end = Deadline.after(configuration.lease)
        let isOurs: Bool
        do throws(PostgresError) {
            let result = try await postgres.query(
                LaneStatements.renew,
                [
                    .text(pack), .text(lane.rawValue), .int(epoch),
                    .double(configuration.lease.inSeconds),
                ], deadline: .after(configuration.leaseRenewPeriod))
            isOurs = result.bool(0, 0) ?? false
        } catch {
            throw .postgres(error)
        }
        if isOurs { self.end = max(self.end, end) } else { isLost = true }
        try check()
    }

    /// The database refused a write of this epoch.
    func lose() { isLost = true }

    /// Stops renewing; the lease runs out.
    func abandon() {
        timer?.cancel()
        timer = nil
    }

    /// Gives the lease back, so that another process need not wait for its end.
    func release() async {
        abandon()
        _ = try? await postgres.query(
            LaneStatements.release, [.text(pack), .text(lane.rawValue), .int(epoch)],
            deadline: .after(configuration.leaseRenewPeriod))
    }
}
