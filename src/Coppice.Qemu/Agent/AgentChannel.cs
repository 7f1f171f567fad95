using Coppice.Core;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Agent;

/// <summary>The way to the agent in a guest.</summary>
/// <param name="Domain">The domain's name, for messages.</param>
/// <param name="Backend">What QEMU calls the host's end of the channel.</param>
/// <param name="Socket">The socket there, in the run folder.</param>
internal sealed record AgentChannel(string Domain, string Backend, string Socket)
{
    // QEMU tells of ports that memory says are open when the guest has run for an instant.
    private static readonly TimeSpan s_openingLimit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(20);

    /// <summary>What errors name.</summary>
    public string Subject => $"the agent in the guest of domain '{Domain}'";

    /// <summary>
    /// Connects, once a program in the guest is known to listen: to wait for an answer is of no use where nobody does.
    /// </summary>
    /// <exception cref="CoppiceException">
    /// Nobody listens (<see cref="ErrorKind.WrongState"/>), or QEMU has no such channel (<see cref="ErrorKind.Hypervisor"/>).
    /// </exception>
    public async Task<GuestAgent> OpenAsync(Machine machine, RunFolder folder, TimeProvider time, CancellationToken cancellation)
    {
        for (var start = time.GetTimestamp(); !await IsOpenAsync(machine, cancellation);)
        {
            if (time.GetElapsedTime(start) > s_openingLimit)
            {
                throw new CoppiceException(
                    ErrorKind.WrongState, Subject, "does not run", "install and start qemu-guest-agent there");
            }

            await Task.Delay(s_interval, time, cancellation);
        }

        return await GuestAgent.ConnectAsync(folder.Socket(Socket), Subject, time, cancellation);
    }

    private async Task<bool> IsOpenAsync(Machine machine, CancellationToken cancellation)
    {
        var backends = await machine.Qmp.ExecuteAsync("query-chardev", null, cancellation);
        return backends.Items().Any(b => b.TextOrEmpty("label") == Backend && b.IsTrue("frontend-open"));
    }
}
