using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>What a definition says for people and programs changes under a guest that runs on.</summary>
public sealed class EditDomainTests : IDisposable
{
    private const string Ours = "http://example.org/ours", Theirs = "http://example.org/theirs";

    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_guest_runs_on_and_its_snapshots_say_what_they_said()
    {
        await _world.ThreeAsync(runs: true);
        var before = _world.Catalog.Head;
        await _world.RunAsync(new EditDomain(World.Name, "A title", "What it is for"));
        var definition = await DefinitionAsync();
        Assert.Equal(("A title", "What it is for"), (definition.Title, definition.Description));
        Assert.Equal((before.Process, before.SameAs), (_world.Catalog.Head.Process, _world.Catalog.Head.SameAs));
        Assert.Equal(before.Disks, _world.Catalog.Head.Disks);
        Assert.Single(_world.Host.State.Processes);
        Assert.True(File.Exists(_world.Domain.Definition(before.Definition)), "snapshots still have it");

        await _world.RunAsync(new RevertSnapshot(World.Name, "one", RevertState.AsTaken, DiscardCurrent: false, Force: false));
        Assert.Null((await DefinitionAsync()).Title);
        await _world.RunAsync(new UndoRevert(World.Name, Force: false));
        Assert.Equal("A title", (await DefinitionAsync()).Title);
    }

    [Fact]
    public async Task What_nothing_names_any_more_goes_and_what_says_the_same_does_nothing()
    {
        await _world.DefineAsync();
        var before = _world.Catalog.Head.Definition;
        await _world.RunAsync(new EditDomain(World.Name, "A title"));
        Assert.False(File.Exists(_world.Domain.Definition(before)));
        var revision = _world.Catalog.Revision;
        await _world.RunAsync(new EditDomain(World.Name, "A title"));
        Assert.Equal(revision, _world.Catalog.Revision);
        await _world.RunAsync(new EditDomain(World.Name, Title: "", Description: "x"));
        Assert.Equal((null, "x"), ((await DefinitionAsync()).Title, (await DefinitionAsync()).Description));
    }

    [Fact]
    public async Task Each_program_has_an_element_of_its_own()
    {
        await _world.DefineAsync();
        await NoteAsync(Ours, "<note who='me'>hi<b/></note>");
        await NoteAsync(Theirs, "<x/>");
        await NoteAsync(Ours, "<note>again</note>");
        Assert.Equal([("<note>again</note>"), ("<x />")], Notes(await DefinitionAsync()));
        await NoteAsync(Ours, null);
        Assert.Equal([("<x />")], Notes(await DefinitionAsync()));
        await NoteAsync(Theirs, null);
        Assert.Null((await DefinitionAsync()).Metadata);
    }

    [Theory]
    [InlineData("", "p", "<a/>", "URI")]
    [InlineData(Ours, "1 p", "<a/>", "cannot stand")]
    [InlineData(Ours, "xmlns", "<a/>", "cannot stand")]
    [InlineData(Ours, "", "<a/>", "cannot stand")]
    [InlineData(Ours, "p", "<a xmlns='http://example.org/other'/>", "not of")]
    [InlineData(Ours, "p", "<a", "")]
    [InlineData(Ours, "p", "", "")]
    [InlineData(Ours, "p", "<!DOCTYPE a><a/>", "")]
    public async Task What_is_no_note_is_refused_and_changes_nothing(string @namespace, string prefix, string element, string why)
    {
        await _world.DefineAsync();
        var revision = _world.Catalog.Revision;
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new EditDomain(World.Name) { Note = new(@namespace, prefix, element) }));
        Assert.True(error.Kind is ErrorKind.InvalidInput or ErrorKind.Forbidden, error.Message);
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
        Assert.Equal(revision, _world.Catalog.Revision);
    }

    [Theory]
    [InlineData("two\nlines", null)]
    [InlineData("\u0001", null)]
    [InlineData(null, "\uFFFF")]
    public async Task Text_that_a_definition_cannot_have_is_refused(string? title, string? description)
    {
        await _world.DefineAsync();
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new EditDomain(World.Name, title, description)));
        Assert.Equal(ErrorKind.InvalidInput, error.Kind);
        Assert.Empty(await _world.Open().CheckAsync(World.Name));
    }

    [Fact]
    public async Task A_domain_that_runs_is_defined_as_it_is_and_stays_from_then_on_R166()
    {
        await _world.RunAsync(new RunTransient(World.Definition(), Paused: false));
        var process = _world.Catalog.Head.Process;
        await _world.RunAsync(new DefineDomain(World.Definition() with { Title = "A title" }));
        Assert.Equal((Persistence.Persistent, process), (_world.Catalog.Persistence, _world.Catalog.Head.Process));
        Assert.Equal("A title", (await DefinitionAsync()).Title);
        await _world.RunAsync(new KillDomain(World.Name));
        Assert.Equal("A title", (await DefinitionAsync()).Title);

        await _world.StartAsync();
        var revision = _world.Catalog.Revision;
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(World.Definition() with { VirtualCpus = 7 })));
        Assert.Equal((ErrorKind.WrongState, revision), (error.Kind, _world.Catalog.Revision));
        Assert.Contains("coppice stop web", error.Message, StringComparison.Ordinal);
    }

    private async Task NoteAsync(string @namespace, string? element) => await
        _world.RunAsync(new EditDomain(World.Name) { Note = new DomainNote(@namespace, "p", element) });

    private static string[] Notes(DomainDefinition definition) =>
        [.. DomainNote.ReadAll(definition.Metadata).OrderBy(n => n.Key, StringComparer.Ordinal).Select(n => n.Value)];

    private async Task<DomainDefinition> DefinitionAsync() => (await _world.Open().ShowAsync(World.Name)).Definition;
}
