/// Points of a lane's work at which a test can look or hold it up.
package protocol LaneProbe: Sendable {
    /// The page's outbox rows and views were read; nothing is written yet.
    func pageWasRead(_ lane: LaneName, revision: Int64) async
    /// The page is in the store; the cursor has not moved yet.
    func pageWasApplied(_ lane: LaneName, revision: Int64) async
}

extension LaneProbe {
    package func pageWasRead(_ lane: LaneName, revision: Int64) async {}
    package func pageWasApplied(_ lane: LaneName, revision: Int64) async {}
}

/// Looks at nothing.
package struct NoProbe: LaneProbe {
    package init() {}
}
