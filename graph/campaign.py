"""The path of a campaign, from brief to package. Reads like its picture in docs/architecture.md."""

from langgraph.graph import END, START, StateGraph
from langgraph.types import TimeoutPolicy

from graph import routes
from graph.state import CampaignInput, CampaignState
from graph.steps import Ports, Steps

STEP_SECONDS = 1800.0
"""No step takes longer, waiting for a turn or for a budget counted: a model call has its own, shorter patience.
A gate only asks: while a person thinks, no step runs."""


def build_campaign(ports: Ports) -> StateGraph[CampaignState, None, CampaignInput, CampaignState]:
    """The graph, not compiled: whoever runs it brings the checkpointer."""
    steps = Steps(ports)
    graph = StateGraph(CampaignState, input_schema=CampaignInput)
    graph.set_node_defaults(timeout=TimeoutPolicy(run_timeout=STEP_SECONDS))

    graph.add_node("brief", steps.brief)
    graph.add_node("study", steps.study)
    graph.add_node("assign", steps.assign)
    graph.add_node("write_copy", steps.write_copy)
    graph.add_node("moderate_copy", steps.moderate_copy)
    graph.add_node("gate_copy", steps.gate_copy)
    graph.add_node("translate", steps.translate)
    graph.add_node("moderate_translations", steps.moderate_translations)
    graph.add_node("render", steps.render)
    graph.add_node("assemble", steps.assemble)
    graph.add_node("gate_creatives", steps.gate_creatives)
    graph.add_node("package", steps.package)

    writers = ["write_copy"]
    makers = ["translate", "render"]
    graph.add_edge(START, "brief")
    graph.add_edge(START, "study")
    graph.add_edge(["brief", "study"], "assign")
    graph.add_conditional_edges("assign", routes.assign_copy, writers)
    graph.add_edge("write_copy", "moderate_copy")
    graph.add_conditional_edges("moderate_copy", routes.after_moderation, [*writers, "gate_copy", *makers])
    graph.add_conditional_edges(
        "gate_copy", routes.after_copy_gate, [*writers, "moderate_copy", "gate_copy", *makers, END]
    )
    graph.add_edge("translate", "moderate_translations")
    graph.add_conditional_edges("moderate_translations", routes.after_translation, makers)
    graph.add_edge("render", "assemble")
    graph.add_conditional_edges("assemble", routes.after_pictures, ["gate_creatives", "package"])
    graph.add_conditional_edges(
        "gate_creatives",
        routes.after_creatives_gate,
        ["moderate_translations", "gate_creatives", *makers, "package", END],
    )
    graph.add_edge("package", END)
    return graph
