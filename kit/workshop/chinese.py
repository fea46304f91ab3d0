"""The Chinese of what the page says of a lane. A sentence that is not here stays English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import overload

from kit.proof.doubts import Doubt
from kit.proof.looks import NEXT_STEPS
from kit.proof.verdict import Shape, Verdict
from kit.report.view import LaneView
from kit.report.words import EXAMINE, HEADER

_SENTENCES: Mapping[str, str] = {
    "Nothing came out before the answer was over.": "回答全部结束之前，什么也没有出来。",
    "Nothing comes out before a whole block is full.": "装满一整块之前，什么也不会出来。",
    "The beginning is held until there is enough of it; then everything passes.": (
        "开头要攒够才放行，之后就畅通。"
    ),
    "The end of an event comes out only with the next event.": "每个事件的末尾要等下一个事件才出来。",
    "The first event comes out only with the second.": "第一个事件要等第二个才出来。",
    "Every event waits for a timer.": "每个事件都要等一个定时器。",
    "Every event arrived before the next one was even sent.": "每个事件都在下一个发出之前就到了。",
    "A hop on the way refuses to pass a stream on.": "路上有一跳拒绝转发流。",
    "The evidence does not decide.": "证据不足以判定。",
    "Something on the way collects before it passes on.": "链路上有中间环节攒够了才放行。",
    "The whole answer is smaller than one block.": (
        "整个回答比一块还小，所以到最后才出来；证明另外发送了更多数据来测出块的大小。"
    ),
    "as documented": "与文档一致",
    "not as documented": "与文档不一致",
    # What frees it: deploy/*/target.toml and kit.report.view.
    "Nothing frees it on App Engine Standard: answer by polling there, or move the service to Cloud Run.": (
        "在 App Engine Standard 上没有办法放行：改用轮询，或者迁移到 Cloud Run。"
    ),
    "Send the response header X-Accel-Buffering: no.": "发送响应头 X-Accel-Buffering: no。",
    "Raise the load balancer's timeout for this Service: GCPBackendPolicy, spec.default.timeoutSec. "
    "Heartbeats do not help.": (
        "为这个 Service 调高负载均衡器的时限：GCPBackendPolicy 的 spec.default.timeoutSec。心跳没有用。"
    ),
    "It streams, against expectation: check that the URL is the one you mean, then the claim.": (
        "它是流式的，与预期不同：先检查网址是否正确，再检查文档的说法。"
    ),
    f"It should stream here: probe the service directly, then hop by hop, to find who holds it (or strips `{HEADER}`).": (  # noqa: E501
        f"这里本应是流式的：先直接探测服务，再一跳一跳地查，找出是谁扣住了它（或删掉了 `{HEADER}`）。"
    ),
    f"Whether `{HEADER}` frees it, or leaving compression out, was not tried: `kit doctor URL`.": (
        f"`{HEADER}` 或不压缩能否放行，还没有试过：`kit doctor URL`。"
    ),
    f"Send `{HEADER}` and measure again (--accel-header on).": f"发送 `{HEADER}`，再测一次。",
    f"`{HEADER}` does not free it: probe the service directly, then hop by hop, to find who holds it.": (
        f"`{HEADER}` 没有用：先直接探测服务，再一跳一跳地查，找出是谁扣住了它。"
    ),
    EXAMINE: "要知道有没有中间环节扣住它、怎样放行：`kit doctor URL`。",
    NEXT_STEPS[
        "events"
    ]: "一个事件看不出多个事件如何到达：请要求更长的回答（两秒以上），或给出逐个发送事件的地址。",
    NEXT_STEPS["text"]: "一段数据看不出多段如何到达：请要求更长的回答（两秒以上），或给出应当流式的地址。",
    NEXT_STEPS["page"]: (
        "请给出网页所调用的地址。在浏览器里：开发者工具 → 网络 → 该请求 → 复制为 cURL；"
        "然后 kit doctor --from-curl FILE。"
    ),
    NEXT_STEPS["document"]: (
        '请要求流式回答：很多服务要在请求里写明（请求体里 "stream": true，或 Accept: text/event-stream），'
        "或者另有地址。"
    ),
    **{
        doubt.remedy: text
        for doubt, text in {
            Doubt.ANSWER_DISAGREES_WITH_PROOF: (
                "证明的流与回答自己的时间戳互相矛盾：应用自己就这样发送回答（它阻塞了事件循环，或先收集），"
                "或者中间件或代理的规则只对回答的路径这样处理；由哪一个造成，用 `kit doctor URL` 查。"
            ),
            Doubt.CLOCKS_NOT_ALIGNED: (
                "服务器的时钟无法与本机对齐，所以没有发送时间；挂载证明路由即可得到。"
            ),
            Doubt.PROOF_EXPIRED: (
                "服务的证明已关闭（STREAMPROOF_PROOF_UNTIL 没有设置，或者已过），所以只判断了回答本身；"
                "请重新部署，或把它设为将来的时刻；要长期检查，请设置 STREAMPROOF_PROOF_TOKEN。"
            ),
            Doubt.PROOF_UNTIL_UNREADABLE: (
                "服务的 STREAMPROOF_PROOF_UNTIL 不是秒数，所以证明没有打开，只判断了回答本身；"
                "请设为将来的时刻，例如 $(($(date +%s) + 3600))。"
            ),
            Doubt.PROOF_TOKEN: (
                "服务的证明只对它自己的令牌开放，所以只判断了回答本身；"
                "请提供服务的 STREAMPROOF_PROOF_TOKEN：在这里设置同一变量，或用 --proof-token。"
            ),
            Doubt.PROOF_TOKEN_UNUSABLE: (
                "服务的 STREAMPROOF_PROOF_TOKEN 不足 16 个可见 ASCII 字符，所以证明没有打开，"
                "只判断了回答本身；请换一个，例如 openssl rand -hex 16。"
            ),
            Doubt.PROOF_REFUSED: (
                "服务器要求正确的令牌才让人使用它的证明（401 或 403），所以只判断了回答本身；"
                "请提供该令牌：--token-env NAME 指出存放它的变量。"
            ),
            Doubt.NO_PROOF: "服务器不支持证明协议，只能被动观察；在服务中挂载 service/proof.py 才能证明。",
            Doubt.PROOF_OLDER: (
                "服务中的证明文件比本工具旧，无法显示这一项；"
                "请换成最新的 service/proof.py（kit proof > proof.py）。"
            ),
            Doubt.OTHER_INSTANCE: (
                "辅助请求到了另一个实例或进程，无法锁步；测量时请只运行一个实例、一个进程。"
            ),
            Doubt.OTHER_VERSION: (
                "回答的不是所部署的版本，所以对它没有下结论；"
                "请过一分钟再测，或用 kit status 看是哪个版本在服务。"
            ),
            Doubt.SIDE_REQUEST_HUNG: (
                "流打开时辅助请求要等待（一次只处理一个请求？），无法锁步；请允许实例至少同时处理两个请求。"
            ),
            Doubt.COLD_START: "第一次询问时服务还在启动，第一个回答的时间可能包含启动；请再测一次。",
            Doubt.SLOW_LINK: "线路太慢，不适用这种方法；请从近处测量，或用更小的事件。",
            Doubt.LARGE_EVENTS_HELD: (
                "所判断大小的事件能通过，但更大事件的末尾要等下一个，"
                "除非回答已带有 X-Accel-Buffering: no 而被 nginx 隐去；请发送这个头，或让事件小于所示大小。"
            ),
            Doubt.BUFFER_SIZE_UNKNOWN: (
                "扣住流的缓冲比发送的内容还大，大小和种类未知；请挂载证明路由，或测量更长的回答。"
            ),
            Doubt.ARRIVALS_ALONE: (
                "只凭到达时间无法区分快的服务器和被扣住的流，所以这只是怀疑；"
                "请挂载证明路由，或在每个事件里带上时间（t_ms）。"
            ),
            Doubt.LENGTHS_ALONE: (
                "两种长度的回答只能说明它是不是整个一起到达，不能说明扣住它的是路径还是服务自己，也看不出是否分块；"
                "请同时直接询问服务，或挂载证明路由。"
            ),
            Doubt.ANSWER_NOT_CHECKED: (
                "回答没有发送时间，无法与证明对照，而证明只代表它自己的路径；请在每个事件里带上时间（t_ms）。"
            ),
            Doubt.NO_EVENTS: (
                "回答的字节不构成事件，客户端什么也显示不出来：text/event-stream 的事件要有以 data: 开头"
                "的行，并以空行结束；NDJSON 的每个事件以换行结束。请在应用里这样写。"
            ),
            Doubt.CODING_NOT_ACCEPTED: (
                "回答使用了请求没有接受的编码，这样询问的客户端读不出来；"
                "请检查是谁在压缩，或者是不是缓存把为别的客户端存的副本发了过来（Vary: Accept-Encoding）。"
            ),
            Doubt.TOO_SHORT: "回答太短，看不出路径如何；请要求更长的回答，两秒以上。",
            Doubt.APP_BUNCHED: "服务自己就是成批发送事件的，无法据此判断路径；请先检查应用。",
            Doubt.CUT_AT_DEADLINE: (
                "回答一直在流动，到了时限被切断：可能是平台自己的时限，或负载均衡器默认的时限；"
                "每个响应到时都会被结束，心跳也没有用。请调高时限，或在那之前结束回答；"
                "kit doctor URL 会说可能是谁的时限。"
            ),
            Doubt.STREAM_CUT: (
                "流没有正常结束，被切断了；请查看服务器日志、它的工作进程时限（gunicorn --timeout）"
                "和路上的时间限制（nginx proxy_read_timeout）。"
            ),
            Doubt.UNDECODABLE: (
                "回答与它的 Content-Encoding 不符，客户端什么也显示不出来；"
                "路上解了码就去掉这个头，或原样转发。"
            ),
            Doubt.REPLAYED: (
                "回答在询问之前就写好了：缓存保存了同一请求的回答；"
                "请随回答发送 Cache-Control: no-store，或换一个查询来测量。"
            ),
            Doubt.END_UNKNOWN: (
                "无法知道回答是否完整：它在一个事件中间结束，"
                "或末尾没有标记（[DONE]、done 或最后一个数据块），被切断时看起来一样；"
                "请在末尾发送这样的事件，并让到服务的链路使用 HTTP/1.1（nginx：proxy_http_version 1.1;）。"
            ),
            Doubt.END_UNMARKED: (
                "回答正常结束，但末尾没有自己的标记（[DONE]、done），用 HTTP/1.0 访问服务的代理可能掩盖切断；"
                "请在末尾发送这样的事件。"
            ),
            Doubt.STILL_RUNNING: (
                "回答超过了等待时间，没有看到它的结尾；请延长时间（--timeout），或要求较短的回答。"
            ),
            Doubt.NO_ANSWER: "没有得到回答本身，只判断了到它的链路；请查看它返回了什么，正常后再测一次。",
            Doubt.ANSWER_IN_CLUMPS: (
                "回答一次或几次成批到达，与它自己的时间戳或证明的流不一致："
                "应用就是这样写的，或者链路对回答另有处理；请运行 kit doctor URL。"
            ),
            Doubt.PLAIN_CLIENT_UNDECIDED: (
                "不接受压缩的客户端（如 curl）是否也能收到流，没有得出结论；"
                "请再测一次，或单独测它：--header 'Accept-Encoding: identity'。"
            ),
            Doubt.NOT_REPEATED: "只看到一次放行，没能重复；请再测一次。",
            Doubt.PROOF_UNLIKE_ANSWER: (
                "证明流没有带上回答所带的响应头，所以它说明不了这个回答；"
                "请换上最新的 service/proof.py，或检查是谁在其中一条路径上改了响应头。"
            ),
            Doubt.BUSY_MACHINE: "本机太忙，测量进程自己也要等处理器，时间可能偏长；请少运行些程序再测。",
            Doubt.PROOF_LIMITED: (
                "服务器或路上的一跳以 429 或 503 拒绝了部分证明流，它们本来会显示什么不得而知；"
                "请暂时放宽请求数或连接数限制，或稍后再测。"
            ),
            Doubt.BROWSER_CONNECTIONS: (
                "有辅助请求要等空闲连接（HTTP/1.1 下浏览器对一个服务器最多六个连接，所有标签页共用），"
                "时间可能偏长；请关闭访问它的其他标签页，再测一次。"
            ),
            Doubt.TAB_HIDDEN: (
                "测量时页面被隐藏，浏览器会让隐藏的页面等待，时间可能偏长；请保持页面可见，再测一次。"
            ),
            Doubt.RELAYED: (
                "浏览器不能直接访问这个服务，由本页的服务器代为询问并原样转交；测到的是经过那台服务器的路。"
            ),
            Doubt.OWN_PATH_HELD: (
                "浏览器与本页服务器之间有中间环节会扣住流，经过那台服务器的内容无法判定；"
                "请在运行它的机器上直接打开本页的地址。"
            ),
        }.items()
    },
}


@overload
def chinese(text: str) -> str: ...
@overload
def chinese(text: None) -> None: ...
def chinese(text: str | None) -> str | None:
    """The sentence in Chinese."""
    return None if text is None else _SENTENCES.get(text, text)


_FATES = {
    Doubt.NO_ANSWER: "没有得到回答",
    Doubt.UNDECODABLE: "回答无法解码",
    Doubt.CUT_AT_DEADLINE: "回答在 {after} 秒后被切断了",
    Doubt.STREAM_CUT: "回答被切断了",
    Doubt.REPLAYED: "回答是缓存的副本",
    Doubt.END_UNKNOWN: "回答可能被切断了",
    Doubt.NO_EVENTS: "回答不构成事件",
    Doubt.CODING_NOT_ACCEPTED: "回答使用了没有接受的编码",
}


def in_chinese(lane: LaneView) -> str:
    """The verdict as a person would say it; `kit.report.view.LaneView.verdict` in Chinese."""
    if lane.error is not None:
        return "无法测量"
    fate = next((said for doubt, said in _FATES.items() if doubt in lane.doubts), "")
    fate = fate.format(after=f"{lane.timeline.duration_ms / 1000:.0f}")
    return f"{_way(lane)}，但{fate}" if fate else _way(lane)


def _way(lane: LaneView) -> str:
    match lane.word:
        case Verdict.INCREMENTAL:
            return "流式"
        case Verdict.WHOLE_MESSAGE:
            return "整体缓冲"
        case Verdict.TIME_LIMITED:
            return "每个事件被定时器扣住" if lane.hold_ms is None else f"每个事件晚 {lane.hold_ms:.0f} 毫秒"
        case Verdict.REFUSED:
            return "被拒绝"
        case Verdict.INCONCLUSIVE:
            return "无法判定"
    size = _size(lane.block_bytes)
    match lane.shape:
        case Shape.BLOCKS:
            return f"按 {size} 的块缓冲" if size else "按块缓冲"
        case Shape.PREFIX:
            return f"先攒够 {size}，之后流式" if size else "开头被扣住，之后流式"
        case Shape.TAIL:
            return f"超过 {size} 的事件，末尾要等下一个" if size else "每个事件的末尾要等下一个"
        case Shape.FIRST_EVENT:
            return "第一个事件要等第二个"
    return "按大小缓冲"


def _size(octets: int | None) -> str | None:
    if octets is None:
        return None
    return f"{octets // 1024} KiB" if octets >= 1024 and octets % 1024 == 0 else f"{octets:,} 字节"
