/// Where the events of one listener go. On the loop of the listener only.
package protocol EventSink: AnyObject, Sendable {
    /// Bytes written and not yet taken by the kernel.
    var queuedByteCount: Int { get }
    /// - Returns: False when the listener has gone.
    func send(_ bytes: [UInt8]) -> Bool
    /// Waits until much of what was written is taken.
    ///
    /// - Returns: False when the listener has gone.
    func waitUntilWritable() async -> Bool
    /// Ends the stream after what was written.
    func close()
    /// Ends the connection and forgets what was written.
    func abort()
    /// Calls `body` once when the stream has ended.
    func onClosed(_ body: @escaping @Sendable () -> Void)
}
