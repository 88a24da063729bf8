internal import Runtime

/// Looks the host names of a connection string up, one after another.
final class HostLookups {
    private let loop: EventLoop
    private var names: [String]
    private var addresses: [[String]] = []
    private var finished: (([[String]]) -> Void)?

    /// - Parameter finished: Called on the loop with the addresses of each name, in order; empty
    ///   for a name that is unknown or needs no look-up.
    init(loop: EventLoop, names: [String], finished: @escaping ([[String]]) -> Void) {
        self.loop = loop
        self.names = names
        self.finished = finished
    }

    func start() {
        while addresses.count < names.count {
            let name = names[addresses.count]
            if ConnectionOptions.isName(name) {
                HostResolver.resolve(name, on: loop) { [self] found in
                    addresses.append(found)
                    start()
                }
                return
            }
            addresses.append([])
        }
        finished?(addresses)
        finished = nil
    }
}
