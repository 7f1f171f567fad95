using Coppice.Contracts.Libvirt;
using Coppice.Core;
using Coppice.Libvirt.Wire;
using Coppice.Server;
using Coppice.Tests.Engine;
using Microsoft.Extensions.Logging.Abstractions;

namespace Coppice.Tests.Libvirt;

/// <summary>A server over a home whose machine is not real.</summary>
internal sealed class EndpointBed : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private Task _serving = Task.CompletedTask;

    private EndpointBed()
    {
    }

    public World World { get; } = new();

    public string Socket => $"{World.Path1}.sock";

    public string ReadOnlySocket => $"{World.Path1}.ro";

    public static RemoteDomain Web { get; } = new(World.Name, World.Definition().Id.Value, RemoteDomain.Off);

    /// <summary>Begins to serve.</summary>
    /// <param name="time">The clock of the server.</param>
    public static async Task<EndpointBed> StartAsync(TimeProvider? time = null)
    {
        var bed = new EndpointBed();
        var ready = new TaskCompletionSource();
        var options = new LibvirtServerOptions
        {
            Socket = bed.Socket, ReadOnlySocket = bed.ReadOnlySocket, Ids = new IdSource(Random.Shared.NextBytes), Time = time ?? TimeProvider.System,
        };
        bed._serving = new LibvirtServer(bed.World.Open(), options, NullLogger.Instance).RunAsync(ready.SetResult, bed._stopping.Token);
        await await Task.WhenAny(ready.Task, bed._serving);
        return bed;
    }

    public Task<WireClient> OpenAsync(bool readOnly = false) => WireClient.OpenAsync(Socket, readOnly);

    /// <summary>What a call is refused with.</summary>
    public static async Task<RemoteError> RefusedAsync<T>(Task<T> call) => (await Assert.ThrowsAsync<WireRefusalException>(() => call)).Error;

    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        try
        {
            await _serving;
        }
        catch (OperationCanceledException)
        {
            // That is how it ends.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stopping.Dispose();
        World.Dispose();
    }
}
