package import Packs
package import Postgres
package import Runtime

/// Runs one lane of one pack: performs what ``LaneStateMachine`` says. Belongs to a loop.
package final class LaneRunner<Store: LaneStore>: @unchecked Sendable {
    let pack: Pack
    let loop: EventLoop
    let postgres: PostgresClient
    let store: Store
    let configuration: LaneConfiguration
    let reader: LanePageReader<Store>
    let holder: String
    private let probe: any LaneProbe
    private let wakeup: Wakeup
    let progress: @Sendable () -> Void

    private var machine: LaneStateMachine
    var lease: LaneLease?
    var cursor = LaneCursor(done: "1:1:")
    var page: LanePage<Store.Work>?
    /// Read ahead; void once a later revision was drawn and written.
    var prefetched: LanePage<Store.Work>?
    private var failureCount = 0
    var mustRepeat = false
    private var isStopping = false
    private var run: Task<Void, Never>?
    private var preparation: Task<Void, Never>?
    private var preparedAt: UInt64 = 0
    private var lastWorkAt = monotonicNanoseconds()
    private var parkedLookAt = Deadline.after(.zero)
    var parkedCount: Int64 = 0
    private(set) package var lastError: LaneError?

    /// - Parameters:
    ///   - holder: Unique to this process.
    ///   - progress: Called whenever the lane's cursor has moved, on the loop.
    package init(
        pack: Pack, loop: EventLoop, postgres: PostgresClient, store: Store, holder: String,
        configuration: LaneConfiguration, probe: any LaneProbe = NoProbe(),
        progress: @escaping @Sendable () -> Void = {}
    ) {
        self.pack = pack
        self.loop = loop
        self.postgres = postgres
        self.store = store
        self.holder = holder
        self.configuration = configuration
        self.probe = probe
        self.progress = progress
        wakeup = Wakeup(loop: loop)
        reader = LanePageReader(
            pack: pack, postgres: postgres, store: store, configuration: configuration)
        machine = LaneStateMachine(
            backoff: configuration.backoff, leasePollPeriod: configuration.leasePollPeriod)
    }

    package var state: LaneStateMachine.State { machine.state }
    package var isLeading: Bool { lease != nil && machine.state != .lost }

    /// On the loop. Once.
    package func start() {
        precondition(run == nil, "a lane is started once")
        run = loop.spawn { await self.perform() }
    }

    /// Ends after the request under way, or without its answer after
    /// ``LaneConfiguration/stopGrace``, and gives the lease back.
    package func stop() async {
        isStopping = true
        wakeup.signal()
        let grace = loop.schedule(after: configuration.stopGrace) { [run] in run?.cancel() }
        await run?.value
        grace.cancel()
        preparation?.cancel()
        await preparation?.value
        await lease?.release()
        lease = nil
    }

    /// There is something to do. On the loop.
    package func wake() { wakeup.signal() }

    // MARK: Steps

    private func perform() async {
        var event = LaneStateMachine.Event.started
        while true {
            let action = machine.take(
                isStopping ? .stopRequested : event, jitter: .random(in: 0..<1))
            if action == .releaseLease { return }
            do throws(LaneError) {
                event = try await perform(action)
                if event == .pageApplied { failureCount = 0 }
            } catch {
                event = await failed(error)
            }
        }
    }

    private func perform(
        _ action: LaneStateMachine.Action
    ) async throws(LaneError) -> LaneStateMachine.Event {
        switch action {
        case .claimLease: return try await claimLease() ? .leaseWon : .leaseLost
        case .connectStore:
            try await connectStore()
            return .storeConnected
        case .readPage: return .pageRead(isEmpty: try await readPage())
        case .applyPage:
            try await applyPage()
            return .pageApplied
        case .awaitWork:
            try await awaitWork()
            return .woken
        case .wait(let duration):
            await pause(duration)
            return .waited
        case .releaseLease: throw .stopped
        }
    }

    /// Waits the whole time, whatever is written meanwhile: only a stop ends it.
    private func pause(_ duration: Duration) async {
        let end = Deadline.after(duration)
        while !isStopping && !end.hasPassed { _ = await wakeup.wait(for: end.remaining) }
    }

    /// Tells the operator once for each kind of failure, not at every attempt.
    private func report(_ message: StaticString, _ error: LaneError) {
        var fields = [
            ("pack", pack.name), ("lane", store.name.rawValue), ("store", store.storeName),
            ("error", error.code),
        ]
        if case .modelChanged(let stored, let configured) = error {
            fields += [
                ("stored", stored), ("configured", configured),
                ("remedy", "set the old model, or see Another embedding model in OPERATING.md"),
            ]
        }
        Log.shared.write(.warning, message, fields)
    }

    func recovered() {
        if let error = lastError { report("a lane goes on", error) }
        lastError = nil
    }

    private func failed(_ error: LaneError) async -> LaneStateMachine.Event {
        if isStopping {
            // A lease that is given back says that nothing is under way. Where a request may run
            // late and no fence refuses it, the lease runs out, and the next leader writes again.
            if error.mayHaveBeenApplied && store.mustRepeatAfterTakeover {
                lease?.abandon()
                lease = nil
            }
            return .failed
        }
        if error.code != lastError?.code { report("a lane cannot go on", error) }
        lastError = error
        page = nil
        prefetched = nil
        if error.mayHaveBeenApplied { mustRepeat = true }
        let epoch = lease?.epoch
        lease?.abandon()
        lease = nil
        if case .leaseLost = error { return .leaseLost }
        failureCount += 1
        if let epoch {
            _ = try? await postgres.query(
                LaneStatements.reportError,
                [
                    .text(pack.name), .text(store.name.rawValue), .int(epoch), .text(error.code),
                ], deadline: .after(configuration.leaseRenewPeriod))
        }
        return .failed
    }

    private func readPage() async throws(LaneError) -> Bool {
        try lease?.check()
        if parkedLookAt.hasPassed { try await lookAfterParked() }
        if let next = prefetched.take() {
            page = next
        } else {
            // A goal that has no more rows must still be finished.
            let mayHaveWork: Bool
            if cursor.goal != nil {
                mayHaveWork = true
            } else {
                mayHaveWork = try await reader.hasWork(cursor)
            }
            page = mayHaveWork ? try await read(cursor) : nil
        }
        return page == nil
    }

    private func applyPage() async throws(LaneError) {
        guard let page else { return }
        let next = page.cursorAfter(cursor)
        // A reconciliation draws revisions later than those of pages that were read before it,
        // and the store's fence then refuses such pages: they are read again.
        let mustReconcile = !page.resyncs.isEmpty
        async let following: Result<LanePage<Store.Work>?, LaneError> =
            page.isLast || mustReconcile ? .success(nil) : prefetch(next)
        await probe.pageWasRead(store.name, revision: page.revision)
        for entity in page.resyncs.sorted() {
            try await resync(entity: entity, origins: page.origins)
        }
        var permit = try await makePermit(revision: mustReconcile ? nil : page.revision)
        permit.failureCount = failureCount
        permit.next = next
        var poison: [PoisonKey] = []
        for (index, chunk) in page.chunks.enumerated() {
            let isRead = index == 0 && !mustReconcile
            poison += try await apply(chunk, permit, work: isRead ? page.firstWork : nil)
        }
        await probe.pageWasApplied(store.name, revision: page.revision)
        for key in poison { try await park(key, page.origins) }
        if let first = poison.first {
            Log.warning(
                "keys are parked", ("pack", pack.name), ("lane", store.name.rawValue),
                ("count", String(poison.count)), ("error", first.code))
        }
        try await advance(page, to: next)
        self.page = nil
        prefetched = try await following.get()
    }

    private func prefetch(
        _ cursor: LaneCursor
    ) async -> Result<LanePage<Store.Work>?, LaneError> {
        do throws(LaneError) { return .success(try await read(cursor)) } catch {
            return .failure(error)
        }
    }

    private func read(_ cursor: LaneCursor) async throws(LaneError) -> LanePage<Store.Work>? {
        guard let lease else { throw .leaseLost }
        return try await reader.read(cursor, epoch: lease.epoch)
    }

    private func advance(
        _ page: LanePage<Store.Work>, to next: LaneCursor
    ) async throws(LaneError) {
        if page.isLast {
            try await move(
                LaneStatements.finishGoal, [.text(page.goal), .int(Int64(page.rowCount))])
        } else {
            try await move(
                LaneStatements.advance,
                [
                    .text(page.goal), .text(next.xid), .int(next.position),
                    .int(Int64(page.rowCount)),
                ])
        }
        cursor = next
        lastWorkAt = monotonicNanoseconds()
        recovered()
        progress()
    }

    /// Returns when there may be work.
    private func awaitWork() async throws(LaneError) {
        while !isStopping {
            try lease?.check()
            prepareNext()
            let quiet = Duration.nanoseconds(Int64(monotonicNanoseconds() - lastWorkAt))
            let period =
                quiet > configuration.quietAfter
                ? configuration.pollPeriodQuiet : configuration.pollPeriod
            if await wakeup.wait(for: period) { return }
            if parkedLookAt.hasPassed { try await lookAfterParked() }
            if try await reader.hasWork(cursor) { return }
        }
    }

    /// One thing at a time, and only while the lane has nothing else to begin: what it finds to do
    /// meanwhile does not wait.
    private func prepareNext() {
        if preparation != nil || store.isPrepared { return }
        let now = monotonicNanoseconds()
        let isQuiet = now - lastWorkAt > configuration.prepareQuiet.wholeNanoseconds
        guard isQuiet || now - preparedAt > configuration.preparePeriod.wholeNanoseconds else {
            return
        }
        preparedAt = now
        preparation = loop.spawn { [self] in
            await store.prepareNext(deadline: .after(configuration.prepareTimeout))
            preparation = nil
        }
    }

    /// Tries what was parked, and what must be written again, if it is due.
    private func lookAfterParked() async throws(LaneError) {
        parkedLookAt = .after(configuration.parkedPollPeriod)
        if store.mustRepeatAfterTakeover {
            try await query(
                LaneStatements.repeatDue,
                laneParameters + [.int(Int64(configuration.dirtyKeyCountMax))])
        }
        let parked = try await query(
            LaneStatements.parkedCount, [.text(pack.name), .text(store.name.rawValue)])
        parkedCount = parked.int(0, 0) ?? 0
        if parkedCount > 0 { try await retryParked() }
    }

    // MARK: For the steps

    /// Throws between two requests of a long step when the lane is to end.
    func checkStop() throws(LaneError) {
        if isStopping { throw .stopped }
    }

    /// - Parameter revision: The one that the page was read with; nil draws a new one.
    func makePermit(revision: Int64? = nil) async throws(LaneError) -> LanePermit {
        guard let lease else { throw .leaseLost }
        let revision =
            if let revision { revision } else { try await reader.drawRevision(epoch: lease.epoch) }
        try lease.check()
        return LanePermit(
            epoch: lease.epoch, revision: revision,
            check: { () throws(LaneError) in try lease.check() },
            confirm: { () async throws(LaneError) in try await lease.renew() })
    }

    /// Pack, lane and epoch.
    var laneParameters: [Parameter] {
        [.text(pack.name), .text(store.name.rawValue), .int(lease?.epoch ?? -1)]
    }

    @discardableResult
    func query(
        _ statement: Statement, _ parameters: [Parameter]
    ) async throws(LaneError) -> PostgresResult {
        do throws(PostgresError) {
            return try await postgres.query(
                statement, parameters, deadline: configuration.requestDeadline)
        } catch {
            throw .postgres(error)
        }
    }

    /// Runs a function that answers false when another leads.
    func move(_ statement: Statement, _ parameters: [Parameter]) async throws(LaneError) {
        let result = try await query(statement, laneParameters + parameters)
        if result.bool(0, 0) != true {
            lease?.lose()
            throw .leaseLost
        }
    }
}
