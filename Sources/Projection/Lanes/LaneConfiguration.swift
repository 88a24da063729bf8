internal import Runtime

/// Times and bounds of one lane.
package struct LaneConfiguration: Sendable {
    /// How long a lease lasts without renewal, in the database's time. A dead leader's lane stands
    /// still for up to this long.
    package var lease = Duration.seconds(10)
    /// The lease is renewed at this period.
    package var leaseRenewPeriod = Duration.seconds(3)
    /// A lane that another process leads asks for the lease at this period.
    package var leasePollPeriod = Duration.seconds(1)
    /// Outbox rows read at once.
    package var pageRowCountMax = 1_000
    /// Keys that are read from the views and written to the store at once.
    package var chunkKeyCountMax = 1_000
    /// An idle lane looks for work of other processes at this period. Bounds how late a write by
    /// SQL is seen.
    package var pollPeriod = Duration.milliseconds(50)
    /// The same after nothing happened for ``quietAfter``.
    package var pollPeriodQuiet = Duration.milliseconds(100)
    package var quietAfter = Duration.seconds(60)
    /// Parked keys that are due are looked for at this period.
    package var parkedPollPeriod = Duration.seconds(1)
    /// Parked keys tried at once.
    package var parkedRetryCountMax = 100
    /// Keys read at once while an entity is reconciled.
    package var resyncKeyCountMax = 10_000
    /// One statement of PostgreSQL or request to a store.
    package var requestTimeout = Duration.seconds(30)
    /// One request that an idle lane makes to save time later.
    package var prepareTimeout = Duration.seconds(3)
    /// Such requests are made when nothing was applied for this long, because they take the store's
    /// time from those that are waited for.
    package var prepareQuiet = Duration.milliseconds(200)
    /// Where it never is that quiet, one is made at this period all the same: writes are slow
    /// meanwhile (0.1 to 0.6 s), which is a hundredth of the time at most.
    package var preparePeriod = Duration.seconds(60)
    /// A lane that is stopped waits this long for the answer to its last request.
    package var stopGrace = Duration.seconds(5)
    /// How long a store may go on working at a request whose caller has given up.
    package var storeWriteTimeout = Duration.seconds(60)
    /// Keys dirtied by one page through dirty rules; more make it a reconciliation of the entity.
    package var dirtyKeyCountMax = 100_000
    package var backoff = LaneBackoff()
    /// Of parked keys.
    package var parkedBackoff = LaneBackoff(base: .seconds(1), ceiling: .seconds(300))

    package init() {}

    var requestDeadline: Deadline { .after(requestTimeout) }
}
