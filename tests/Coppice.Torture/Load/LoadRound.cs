using System.Collections.Immutable;
using System.Diagnostics;
using Coppice.Contracts.Libvirt;
using Coppice.Libvirt.Wire;
using Coppice.Live.Cli;
using Coppice.Live.Tree;

namespace Coppice.Torture.Load;

/// <summary>How much is done at once, and for how long.</summary>
/// <param name="Clients">Clients of the server.</param>
/// <param name="Commands">Users of the command line.</param>
/// <param name="Domains">Domains.</param>
/// <param name="Time">How long.</param>
internal sealed record LoadSize(int Clients, int Commands, int Domains, TimeSpan Time)
{
    /// <summary>From here on what memory does means something.</summary>
    private static readonly TimeSpan s_telling = TimeSpan.FromMinutes(2);

    /// <summary>What runs beside other rooms.</summary>
    public static LoadSize Short { get; } = new(12, 1, 4, TimeSpan.FromSeconds(12));

    /// <summary>What is measured.</summary>
    public static LoadSize Full(TimeSpan time) => new(50, 2, 10, time);

    /// <summary>Whether growing memory is a finding.</summary>
    public bool JudgesMemory => Time >= s_telling;
}

/// <summary>
/// Many clients and some users of the command line at one home, while its server is killed and started again; then everything is looked at.
/// </summary>
internal sealed class LoadRound : IAsyncDisposable
{
    private const double KilledAfter = 0.25;

    private readonly LoadSize _size;
    private readonly Random _random;
    private readonly string _folder = Directory.CreateTempSubdirectory("lo-").FullName;
    private bool _isKept;

    public LoadRound(LoadSize size, Random random, Tally tally)
    {
        (_size, _random, Tally) = (size, random, tally);
        Server = new LoadServer(Home, $"{_folder}/s");
        Domains = [.. Enumerable.Range(0, size.Domains).Select(i => new LoadDomain(i + 10 - size.Domains, Guid.NewGuid()))];
    }

    public Tally Tally { get; }

    public LoadServer Server { get; }

    public Ledger Ledger { get; } = new();

    public Figures Figures { get; } = new();

    public ImmutableArray<LoadDomain> Domains { get; }

    public string Home => $"{_folder}/h";

    /// <summary>Defines the domains, puts them under load, and checks what is left. If something is wrong the home is kept, to be looked at.</summary>
    public async Task RunAsync(CancellationToken over)
    {
        try
        {
            await LoadAsync(over);
        }
        catch (Violation e)
        {
            _isKept = true;
            throw new Violation(e.Harm, $"{e.Message}\nthe home is kept: {Home}", e);
        }
    }

    private async Task LoadAsync(CancellationToken over)
    {
        await Server.StartAsync();
        await DefineAsync();
        using (var watching = new CancellationTokenSource())
        {
            var watch = Figures.WatchAsync(Server, watching.Token);
            await WorkAsync(over);
            await watching.CancelAsync();
            await watch;
        }

        await new LoadChecks(this).CheckAsync(_size.JudgesMemory);
        foreach (var line in Figures.Describe())
        {
            Tally.Note(line);
        }
    }

    /// <summary>Runs a command on the home.</summary>
    public async Task<CommandRun> CommandAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(CliHome.Program, ["--home", Home, .. arguments])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
            Environment = { ["NO_COLOR"] = "1", ["COPPICE_CHECKSUMS"] = "off" },
        })!;
        process.StandardInput.Close();
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        try
        {
            await process.WaitForExitAsync().WaitAsync(LoadConnection.Limit);
        }
        catch (TimeoutException e)
        {
            process.Kill();
            throw new Violation(Harm.Other, $"coppice {string.Join(' ', arguments)} did not end within {LoadConnection.Limit.TotalSeconds:0} s", e);
        }

        return new CommandRun(process.ExitCode, await output, await errors);
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        await LiveDomain.EndAllAsync(Home);
        if (!_isKept)
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private async Task DefineAsync()
    {
        await using var client = await WireClient.OpenAsync(Server.Socket);
        foreach (var domain in Domains)
        {
            var disk = $"{_folder}/{domain.Name}.qcow2";
            using (var create = Process.Start("qemu-img", ["create", "-q", "-f", "qcow2", disk, "16M"]))
            {
                await create.WaitForExitAsync();
            }

            await client.CallAsync(DomainProcedures.Define, CliHome.PlainXml(domain.Name, disk, domain.Uuid));
            if (domain.Runs)
            {
                await client.CallAsync(DomainProcedures.Create, domain.Remote);
            }
        }
    }

    /// <summary>Everybody works until the time is over, or something is wrong.</summary>
    private async Task WorkAsync(CancellationToken over)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(over);
        end.CancelAfter(_size.Time);
        var all = Enumerable.Range(0, _size.Clients).Select(i => new LoadClient(i, this, new Random(_random.Next())).RunAsync(end.Token))
            .Concat(Enumerable.Range(0, _size.Commands).Select(i => new CommandUser(i, this, new Random(_random.Next())).RunAsync(end.Token)))
            .Append(KillAsync(end.Token)).ToList();
        while (all.Count > 0)
        {
            var ended = await Task.WhenAny(all);
            all.Remove(ended);
            if (ended.IsFaulted)
            {
                await end.CancelAsync();
                await Task.WhenAll(all).ContinueWith(_ => { }, TaskScheduler.Default);
            }

            await ended;
        }
    }

    private async Task KillAsync(CancellationToken over)
    {
        try
        {
            await Task.Delay(_size.Time * KilledAfter, over);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        await Server.KillAsync();
        Tally.Operation("the server", "killed");
        await Task.Delay(TimeSpan.FromMilliseconds(300), CancellationToken.None);
        await Server.StartAsync();
    }
}
