using System.Net.Sockets;
using Coppice.Contracts.Libvirt;

namespace Coppice.Torture.Load;

/// <summary>A client: connects, does things, and goes away, not always as it should.</summary>
internal sealed class LoadClient(int number, LoadRound round, Random random)
{
    private const int MostOperations = 20;
    private const int MostCalls = 30;
    private static readonly TimeSpan s_toOpen = TimeSpan.FromSeconds(20);

    private int _names;

    /// <summary>Goes on until the time is over. A call that is under way is waited for.</summary>
    public async Task RunAsync(CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            try
            {
                await (random.Next(60) == 0 ? SayNothingAsync(over) : VisitAsync(over));
            }
            catch (Exception e) when (e is IOException or SocketException && !round.Server.IsGone)
            {
                // It is being killed and started again, or this client has cut its connection itself.
                if (e is IOException)
                {
                    round.Tally.Operation("a connection", e is CutException cut ? cut.Message : "lost with the server");
                }

                await Task.Delay(50, CancellationToken.None);
            }
        }
    }

    private async Task VisitAsync(CancellationToken over)
    {
        var cut = random.Next(2) == 0 ? ((Cut, int)?)(random.Next(2) == 0 ? Cut.AfterSending : Cut.InFrame, random.Next(MostCalls)) : null;
        await using var connection = await LoadConnection.OpenAsync(round.Server, round.Figures, cut);
        for (var left = random.Next(1, MostOperations); left > 0 && !over.IsCancellationRequested; left--)
        {
            var domain = round.Domains[random.Next(round.Domains.Length)];
            var turn = new LoadTurn(connection, domain, round.Ledger, random, () => $"c{number}-{_names++}");
            await turn.LookAsync();
            var operation = LoadOperation.Pick(random, turn);
            try
            {
                await operation.DoAsync(turn);
                round.Tally.Operation(operation.Name, null);
            }
            catch (WireRefusalException)
            {
                round.Tally.Refused();
            }
            catch (Violation e)
            {
                throw new Violation(e.Harm, $"{operation.Name} of {domain.Name}: {e.Message}", e);
            }
        }
    }

    /// <summary>Connects and never opens anything: the server has to end that by itself.</summary>
    private async Task SayNothingAsync(CancellationToken over)
    {
        var generation = round.Server.Generation;
        await using var client = await WireClient.ConnectAsync(round.Server.Socket);
        try
        {
            await client.Ended.WaitAsync(s_toOpen, over);
            round.Tally.Operation("a connection", "that never opened");
        }
        catch (OperationCanceledException)
        {
            return;
        }
        catch (TimeoutException) when (generation == round.Server.Generation)
        {
            throw new Violation(Harm.Other, $"a connection that opened nothing was there after {s_toOpen.TotalSeconds:0} s");
        }
    }
}
