using System.Text.RegularExpressions;

namespace Coppice.Live.Peers;

/// <summary>What virsh said without what differs from run to run, and with all that matters.</summary>
public static partial class VirshText
{
    // In this order: what is more particular comes first.
    private static readonly (Regex What, string Instead)[] s_noise =
    [
        (Moments(), "<time>"),
        (Uuids(), "<uuid>"),
        (Ptys(), "/dev/pts/<n>"),
        (IdAttributes(), "<domain$1 id=$2<id>$2"),
        (LayerFiles(), "$1.<id>.qcow2"),
        (LayerIds(), "$1<id>$2"),
        (IdField(), "$1<id>"),
        (DomainFolders(), "/domain-<id>-"),
        (Seconds(), "<epoch>"),
        (CpuTimes(), "$1<seconds>"),
        (Counters(), "$1<n>"),
        (BlockSizes(), "$1<bytes>"),
        (BlockCounters(), "$1<n>"),
        (MemoryOfHost(), "$1<n> $2"),
        (HostCpu(), "$1<n>"),
        (Elapsed(), "$1<n>"),
        (FreePages(), "$1<n>"),
        (Fractions(), "<epoch>"),
        (PoolSizes(), "$1<bytes>"),
        (DiskRows(), "$1  <bytes>  <bytes>"),
        (Processors(), "$1<n>"),
        (MonitorIds(), "\"id\":\"<id>\""),
        (EditedFiles(), "/virsh<n>.xml"),
        (Iterations(), "$1<n>"),
        (Failures(), ""),
        (Rules(), "---"),
    ];

    /// <summary>Lines of output, then those of errors.</summary>
    /// <param name="output">What virsh printed.</param>
    /// <param name="errors">What it complained about.</param>
    /// <param name="peer">Whom it talked to.</param>
    /// <param name="isTableOfIds">Whether rows begin with the ids of domains.</param>
    public static string[] Normalise(string output, string errors, VirshPeer peer, bool isTableOfIds) =>
        [.. Lines(output, peer).Select(l => isTableOfIds ? RowIds().Replace(l, " <id>") : l), .. Lines(errors, peer)];

    /// <summary>Events without what comes more than once in a row: how often QEMU says that it was reset is a matter of luck.</summary>
    public static IEnumerable<string> OnceInARow(IEnumerable<string> lines)
    {
        string? last = null;
        foreach (var line in lines)
        {
            if (line != last)
            {
                yield return line;
            }

            last = line;
        }
    }

    private static IEnumerable<string> Lines(string text, VirshPeer peer)
    {
        text = text.Replace(peer.Socket, "<socket>", StringComparison.Ordinal).Replace(peer.Folder, "@", StringComparison.Ordinal);
        text = s_noise.Aggregate(text, (t, noise) => noise.What.Replace(t, noise.Instead));

        // Of a line that is written over, as progress is, the last word counts.
        var lines = text.Split('\n').Select(l => l.TrimEnd('\r')).Select(l => l[(l.LastIndexOf('\r') + 1)..]);
        return lines.Select(l => Gaps().Replace(l.TrimEnd(), "$1  ")).Where(l => l.Length > 0);
    }

    [GeneratedRegex(@"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?( ?\+\d{4})?")]
    private static partial Regex Moments();

    // All but those that the documents give: 11111111-1111-…
    [GeneratedRegex(@"(?<![0-9a-f])(?!([0-9])\1{7}-)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])")]
    private static partial Regex Uuids();

    [GeneratedRegex(@"/dev/pts/\d+")]
    private static partial Regex Ptys();

    [GeneratedRegex(@"<domain( type=(?:'\w+'|""\w+"")) id=(['""])\d+['""]")]
    private static partial Regex IdAttributes();

    // Coppice's names and ids of layers, which are never used again.
    [GeneratedRegex(@"(/vd\w\.[\w-]+)\.[0-9a-f]{8}\.qcow2")]
    private static partial Regex LayerFiles();

    [GeneratedRegex(@"(?<=<coppice:[^\n]*)(\b(?:layer|memoryLayer|id|parent|holder|tag)=['""](?:[^'""]+\.)?)[0-9a-f]{8}(?:[0-9a-f]{4})?(['""])")]
    private static partial Regex LayerIds();

    [GeneratedRegex(@"^(Id:\s+)\d+", RegexOptions.Multiline)]
    private static partial Regex IdField();

    [GeneratedRegex(@"/domain-\d+-")]
    private static partial Regex DomainFolders();

    [GeneratedRegex(@"(?<![\d.])1[78]\d{8}(?!\d)(?<!1700000000)")]
    private static partial Regex Seconds();

    [GeneratedRegex(@"((?:CPU time|cpu_time|user_time|system_time|user|system):?\s+)\d+\.\d+(s| seconds)?")]
    private static partial Regex CpuTimes();

    [GeneratedRegex(@"(\b(?:cpu\.time|cpu\.user|cpu\.system|cpu\.cache\.[\w.]+|vcpu\.\d+\.(?:time|wait|delay|halted|halted\.sum|halt[\w.]*|[\w.]+\.sum)|balloon\.(?:rss|last-update)|net\.\d+\.[rt]x\.\w+|block\.\d+\.(?:rd|wr|fl)\.\w+|dirtyrate\.[\w.]+)=)\d+")]
    private static partial Regex Counters();

    [GeneratedRegex(@"((?:Allocation|Physical):\s+|\bblock\.\d+\.(?:allocation|physical)=)[\d.]+( [KMG]iB)?")]
    private static partial Regex BlockSizes();

    [GeneratedRegex(@"((?:rd|wr|flush)_\w+ |^ ?(?:number of|duration of|total duration)[^:]*:\s+|\b[rt]x_\w+ |\b(?:rss|last_update|actual) )\d+", RegexOptions.Multiline)]
    private static partial Regex BlockCounters();

    [GeneratedRegex(@"((?:^(?:total|free|buffers|cached)\s*:|^Total:|^\s*\d+:|^Memory size:)\s+)\d+ (KiB)", RegexOptions.Multiline)]
    private static partial Regex MemoryOfHost();

    [GeneratedRegex(@"(^(?:user|system|idle|iowait|intr|usage)\s*:\s+|^CPU frequency:\s+|<cpu_time>|<pages unit='KiB' size='\d+'>|<memory unit='KiB'>(?=\d{7})|<counter name='tsc' frequency=')[\d.]+", RegexOptions.Multiline)]
    private static partial Regex HostCpu();

    [GeneratedRegex(@"((?:Time elapsed|Time remaining|Total downtime|Setup time|Operation duration|Data processed|Data remaining|Data total|Memory processed|Memory remaining|Memory total|Memory bandwidth|Constant pages|Normal pages|Normal data|Expected downtime|File processed|File remaining|File total|File bandwidth|Dirty rate|Iteration|Page size|Postcopy requests|Disk bandwidth|Compression \w+)[^:]*:\s+)[\d.]+( +\w+(/s)?)?")]
    private static partial Regex Elapsed();

    [GeneratedRegex(@"^(\d+KiB: )\d+", RegexOptions.Multiline)]
    private static partial Regex FreePages();

    [GeneratedRegex(@"<epoch>\.\d{6,9}(?![0-9a-f])")]
    private static partial Regex Fractions();

    [GeneratedRegex(@"(<(?:allocation|available|physical) unit='bytes'>|^Available:\s+)[\d.]+( [KMG]iB)?", RegexOptions.Multiline)]
    private static partial Regex PoolSizes();

    // Of domblkinfo --all, where the capacity stays.
    [GeneratedRegex(@"^( vd\w +\d+) +\d+ +\d+", RegexOptions.Multiline)]
    private static partial Regex DiskRows();

    [GeneratedRegex(@"^(CPU:\s+)\d+", RegexOptions.Multiline)]
    private static partial Regex Processors();

    [GeneratedRegex(@"""id"":""libvirt-\d+""")]
    private static partial Regex MonitorIds();

    [GeneratedRegex(@"/\S*/virsh\w{6}\.xml")]
    private static partial Regex EditedFiles();

    [GeneratedRegex(@"(iteration: '|^events received: )\d+", RegexOptions.Multiline)]
    private static partial Regex Iterations();

    // Whether the monitor of a guest that is ended hangs up before it is closed is a matter of luck.
    [GeneratedRegex(@"^event 'control-error' .*\n", RegexOptions.Multiline)]
    private static partial Regex Failures();

    [GeneratedRegex(@"^-{4,}", RegexOptions.Multiline)]
    private static partial Regex Rules();

    // Columns are as wide as their widest word; what begins a line is left, since it is a tree or XML.
    [GeneratedRegex(@"(\S) {2,}")]
    private static partial Regex Gaps();

    [GeneratedRegex(@"^ *\d+(?=  |$)")]
    private static partial Regex RowIds();
}
