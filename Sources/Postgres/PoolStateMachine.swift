/// Which exclusive connections are idle or leased, and who waits for one.
struct PoolStateMachine<Connection: AnyObject> {
    typealias WaiterID = UInt64

    enum Acquisition {
        case lease(Connection)
        /// The caller waits; it is told by ``connected(_:)`` or ``released(_:)``.
        case wait(mustConnect: Bool)
        case reject
    }

    enum Assignment {
        case lease(Connection, to: WaiterID)
        case park
    }

    private let connectionCountMax: Int
    private let waiterCountMax: Int
    private var idle: [Connection] = []
    private var waiters = RingBuffer<WaiterID>()
    private var connectingCount = 0
    private(set) var leasedCount = 0

    init(connectionCountMax: Int, waiterCountMax: Int) {
        self.connectionCountMax = max(1, connectionCountMax)
        self.waiterCountMax = waiterCountMax
    }

    var idleCount: Int { idle.count }
    var waiterCount: Int { waiters.count }

    mutating func acquire(_ waiter: WaiterID) -> Acquisition {
        // The one used last has the warmest caches.
        if let connection = idle.popLast() {
            leasedCount += 1
            return .lease(connection)
        }
        guard waiters.count < waiterCountMax else { return .reject }
        waiters.append(waiter)
        return .wait(mustConnect: mayConnect())
    }

    private mutating func mayConnect() -> Bool {
        guard leasedCount + connectingCount + idle.count < connectionCountMax,
            connectingCount < waiters.count
        else { return false }
        connectingCount += 1
        return true
    }

    mutating func connected(_ connection: Connection) -> Assignment {
        connectingCount -= 1
        return assign(connection)
    }

    /// A leased connection came back in good order.
    mutating func released(_ connection: Connection) -> Assignment {
        leasedCount -= 1
        return assign(connection)
    }

    private mutating func assign(_ connection: Connection) -> Assignment {
        if let waiter = waiters.removeFirst() {
            leasedCount += 1
            return .lease(connection, to: waiter)
        }
        idle.append(connection)
        return .park
    }

    /// An attempt to connect failed: all who wait are told.
    mutating func connectFailed() -> [WaiterID] {
        connectingCount -= 1
        return waiters.removeAll()
    }

    /// A leased connection was closed. True: open another one for those who wait.
    mutating func leasedClosed() -> Bool {
        leasedCount -= 1
        return mayConnect()
    }

    /// An idle connection broke.
    mutating func idleClosed(_ connection: Connection) {
        idle.removeAll { $0 === connection }
    }

    /// A caller no longer waits. False: it was served or told before.
    mutating func waiterLeft(_ waiter: WaiterID) -> Bool {
        !waiters.removeAll { $0 == waiter }.isEmpty
    }

    mutating func removeAll() -> (idle: [Connection], waiters: [WaiterID]) {
        defer { idle = [] }
        return (idle, waiters.removeAll())
    }
}
